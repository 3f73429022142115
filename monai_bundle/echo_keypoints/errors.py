"""The errors that a user may see: one clear sentence, never a stack trace."""


class EchoKeypointsError(Exception):
    """Base of every error that is the input's fault and not the software's.

    The message is one sentence that names the file (its base name, never a full path), says what is wrong and
    what to do. Command-line front ends print it and exit with code 2.
    """


class ClipError(EchoKeypointsError):
    """A file cannot be used as a clip: unreadable, too large, a still, or not what it claims to be."""


class ModelError(EchoKeypointsError):
    """Weights are missing, damaged, or do not fit this version of the software."""


class QueryError(EchoKeypointsError):
    """Points or frames that the user gave do not fit the clip."""


class ResultError(EchoKeypointsError):
    """A result file is damaged or another kind of file, or an output folder holds another clip's results."""
