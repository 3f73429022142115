import numpy as np
import pytest

from echo_keypoints.tracking.spool import FrameSpool


@pytest.mark.parametrize("memory_bytes", [1 << 20, 100])
def test_gives_back_what_it_was_given_from_memory_and_from_disk(memory_bytes):
    frames = np.random.default_rng(0).integers(0, 255, (7, 8, 9), dtype=np.uint8)
    with FrameSpool((8, 9), memory_bytes) as spool:
        for frame in frames[:5]:
            spool.append(frame)
        np.testing.assert_array_equal(spool.read(1, 4), frames[1:4])
        for frame in frames[5:]:  # reading moves the file's position; appending still goes to the end
            spool.append(frame)
        assert len(spool) == 7
        np.testing.assert_array_equal(spool.read(0, 7), frames)
        assert spool.read(3, 3).shape == (0, 8, 9)


def test_refuses_other_shapes_and_frames_that_it_does_not_have():
    with FrameSpool((8, 9)) as spool:
        with pytest.raises(ValueError, match="uint8"):
            spool.append(np.zeros((9, 8), np.uint8))
        with pytest.raises(IndexError):
            spool.read(0, 1)


def test_frames_that_repeat_the_one_before_are_known():
    with FrameSpool((4, 6)) as spool:
        for grey in (1, 1, 2, 1, 1, 1):
            spool.append(np.full((4, 6), grey, np.uint8))
        assert spool.repeats.tolist() == [False, True, False, False, True, True]
