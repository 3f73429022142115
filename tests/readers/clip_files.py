"""Small clips with known content, written in every format that the readers know."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
IMPLICIT, EXPLICIT, DEFLATED, BIG = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
JPEG, JPEG_LOSSLESS, JPEG_LS, J2K = (f"1.2.840.10008.1.2.4.{tail}" for tail in (50, 70, 80, 90))
JPEG_XL, RLE = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.5"
MPEG2, H264, HEVC = (f"1.2.840.10008.1.2.4.{tail}" for tail in (100, 102, 107))


def grey_clip(frame_count: int = 6, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A bright disc that moves right by 3 pixels a frame over a gradient: ``(T, H, W)`` uint8."""
    y, x = np.mgrid[:height, :width]
    frames = [
        40 + x + 120 * np.exp(-(((x - 12 - 3 * t) ** 2) + (y - height / 2) ** 2) / 40)
        for t in range(frame_count)
    ]
    return np.stack(frames).astype(np.uint8)


def colour_clip(frame_count: int = 6, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """The grey clip with a red and a blue square, as in colour Doppler: ``(T, H, W, 3)`` uint8."""
    clip = np.repeat(grey_clip(frame_count, height, width)[..., np.newaxis], 3, axis=-1)
    clip[:, 4:12, 4:12], clip[:, 20:28, 4:12] = (220, 20, 10), (10, 40, 230)
    return clip


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Rec. 601 luma, written out."""
    return 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]


def region(**changes: Any) -> Dataset:
    """A 2-D tissue region of 0.05 cm a pixel over columns 4..59 and rows 2..41."""
    item = Dataset()
    facts: dict[str, Any] = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 4,
        "RegionLocationMinY0": 2,
        "RegionLocationMaxX1": 59,
        "RegionLocationMaxY1": 41,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.05,
        "PhysicalDeltaY": 0.05,
    }
    for keyword, value in (facts | changes).items():
        setattr(item, keyword, value)
    return item


def dicom(video: NDArray[Any], syntax: str = EXPLICIT, **elements: Any) -> Dataset:
    """A DICOM ultrasound cine of uncompressed frames; `elements` add to, replace or (None) remove others."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = US_MULTIFRAME
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    colour = video.ndim == 4
    facts: dict[str, Any] = {
        "SOPClassUID": US_MULTIFRAME,
        "SOPInstanceUID": data.file_meta.MediaStorageSOPInstanceUID,
        "Modality": "US",
        "PatientName": "Doe^Secret",
        "PatientID": "ID-SECRET",
        "NumberOfFrames": len(video),
        "Rows": video.shape[1],
        "Columns": video.shape[2],
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "PlanarConfiguration": 0 if colour else None,
        "BitsAllocated": 8 * video.itemsize,
        "BitsStored": 8 * video.itemsize,
        "HighBit": 8 * video.itemsize - 1,
        "PixelRepresentation": 0,
        "FrameTime": 40,
    }
    for keyword, value in (facts | elements).items():
        if value is not None:
            setattr(data, keyword, value)
    raw = video.astype(video.dtype.newbyteorder(">")).tobytes() if syntax == BIG else video.tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)
    data["PixelData"].VR = "OB" if video.itemsize == 1 else "OW"
    return data


def save(data: Dataset, path: Path) -> Path:
    """Write a data set with its preamble, with pydicom 2 or 3."""
    syntax = data.file_meta.TransferSyntaxUID
    data.is_little_endian, data.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
    # pydicom 3 refuses to write the UID of JPEG XL: it is put in the place of another of the same length.
    data.file_meta.TransferSyntaxUID = H264 if syntax == JPEG_XL else syntax
    dcmwrite(path, data, write_like_original=False)
    data.file_meta.TransferSyntaxUID = syntax
    if syntax == JPEG_XL:
        path.write_bytes(path.read_bytes().replace(H264.encode(), JPEG_XL.encode()))
    return path


def compressed(
    video: NDArray[np.uint8], syntax: str, encode: Callable[[Any], bytes], **elements: Any
) -> Dataset:
    """A DICOM cine of one compressed item a frame."""
    data = dicom(video, syntax, **elements)
    data.PixelData = encapsulate([encode(frame) for frame in video])
    data["PixelData"].is_undefined_length = True
    return data


def rle(video: NDArray[np.uint8], **elements: Any) -> Dataset:
    """A DICOM cine compressed with RLE by pydicom."""
    data = dicom(video, ExplicitVRLittleEndian, **elements)
    data.is_little_endian, data.is_implicit_VR = True, False
    data.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
    return data


def jpeg(frame: NDArray[np.uint8]) -> bytes:
    """Pillow's JPEG at quality 95 (JFIF; YCbCr of colour)."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


LOSSLESS: dict[str, Callable[[Any], bytes]] = {
    JPEG_LOSSLESS: imagecodecs.ljpeg_encode,
    JPEG_LS: imagecodecs.jpegls_encode,
    J2K: lambda frame: imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True),
    JPEG_XL: lambda frame: imagecodecs.jpegxl_encode(frame, lossless=True),
}


def video_bytes(
    video: NDArray[np.uint8], container: str, codec: str, rate: int = 25, **options: Any
) -> bytes:
    """Encode ``(T, H, W)`` grey or ``(T, H, W, 3)`` RGB with PyAV."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.height, stream.width = video.shape[1:3]
        for name, value in options.items():
            setattr(stream, name, value)
        for picture in video:
            rgb = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=-1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
        output.mux(stream.encode())
    return buffer.getvalue()


def video_dicom(video: NDArray[np.uint8], syntax: str, stream: bytes, **elements: Any) -> Dataset:
    """A DICOM cine that holds one video stream, in two fragments."""
    data = dicom(video, syntax, **elements)
    middle = len(stream) // 4 * 2
    data.PixelData = encapsulate([stream])
    if middle:
        data.PixelData = encapsulate([stream], fragments_per_frame=2)
    data["PixelData"].is_undefined_length = True
    return data


def nrrd(axes: NDArray[np.uint8], kinds: str, compress: bool = False, **fields: str) -> bytes:
    """A NRRD file of an array whose last axis is the fastest; `kinds` from the fastest to the slowest."""
    lines = [
        "NRRD0005",
        "type: uchar",
        f"dimension: {axes.ndim}",
        f"sizes: {' '.join(str(size) for size in axes.shape[::-1])}",
        f"kinds: {kinds}",
        f"encoding: {'gzip' if compress else 'raw'}",
        *(f"{key.replace('_', ' ')}:{value}" for key, value in fields.items()),
    ]
    data = axes.tobytes()
    return "\n".join(lines).encode() + b"\n\n" + (gzip.compress(data) if compress else data)


def mha(axes: NDArray[np.uint8], compress: bool = False, channels: int = 1, **fields: str) -> bytes:
    """A MetaImage of an array whose last axis is the fastest."""
    sizes = axes.shape[::-1][channels > 1 :]
    data = zlib.compress(axes.tobytes()) if compress else axes.tobytes()
    lines = [
        "ObjectType = Image",
        f"NDims = {len(sizes)}",
        f"CompressedData = {compress}",
        f"DimSize = {' '.join(map(str, sizes))}",
        f"ElementNumberOfChannels = {channels}",
        "ElementType = MET_UCHAR",
        *(f"{key} = {value}" for key, value in fields.items()),
        "ElementDataFile = LOCAL\n",
    ]
    return "\n".join(lines).encode() + data


def write_all(folder: Path) -> list[Path]:
    """Write a clip in every format; the names say what each is."""
    grey, colour = grey_clip(), colour_clip()
    data = {
        "explicit": dicom(grey),
        "implicit_colour": dicom(colour, IMPLICIT, SequenceOfUltrasoundRegions=[region()]),
        "deflated": dicom(grey, DEFLATED),
        "big_endian": dicom(grey.astype(np.uint16) * 16, BIG, BitsStored=12, HighBit=11),
        "rle": rle(colour),
        "jpeg": compressed(colour, JPEG, jpeg, PhotometricInterpretation="YBR_FULL_422"),
        **{
            f"lossless_{syntax[-2:]}": compressed(grey, syntax, encode) for syntax, encode in LOSSLESS.items()
        },
        "j2k_colour": compressed(colour, J2K, LOSSLESS[J2K], PhotometricInterpretation="YBR_RCT"),
        "h264": video_dicom(grey, H264, video_bytes(grey, "h264", "libx264")),
        "mpeg2": video_dicom(grey, MPEG2, video_bytes(grey, "mpeg2video", "mpeg2video")),
    }
    paths = [save(item, folder / f"{name}.dcm") for name, item in data.items()]
    pictures = [Image.fromarray(frame) for frame in colour]
    for name, options in {
        "clip.gif": {"duration": 40, "loop": 0},
        "clip.png": {"duration": 40},
        "clip.webp": {"duration": 40, "lossless": True},
        "clip.tiff": {},
    }.items():
        pictures[0].save(folder / name, save_all=True, append_images=pictures[1:], **options)
        paths.append(folder / name)
    files = {
        "mjpeg.avi": video_bytes(colour, "avi", "mjpeg", pix_fmt="yuvj420p"),
        "clip.mp4": video_bytes(colour, "mp4", "libx264", pix_fmt="yuv420p"),
        "clip.mov": video_bytes(colour, "mov", "mpeg4"),
        "clip.mkv": video_bytes(colour, "matroska", "ffv1", pix_fmt="yuv420p"),
        "clip.mpg": video_bytes(colour, "mpeg", "mpeg2video"),
        "clip.nrrd": nrrd(colour, "RGB-color domain domain list", compress=True),
        "clip.seq.nrrd": nrrd(np.moveaxis(grey, 0, -1)[np.newaxis], "list domain domain domain"),
        "clip.mha": mha(grey, compress=True),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    np.save(folder / "clip.npy", colour)
    np.savez_compressed(folder / "clip.npz", video=grey, fps=50, mm_per_px=0.4)
    return [*paths, folder / "clip.npy", folder / "clip.npz"]
