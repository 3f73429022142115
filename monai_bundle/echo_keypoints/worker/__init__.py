"""The engine as a process of its own, for programs that must not wait: ``python -m echo_keypoints.worker``.

One JSON object a line. The caller writes requests to stdin::

    {"id": 7, "method": "analyze", "params": {…}}      one of `methods.METHODS`
    {"cancel": 7}                                      stop it at the next frame

and reads from stdout, in any order::

    {"id": 7, "progress": ["detect", 12, 60]}          stage, done, total
    {"id": 7, "result": {…}}                           the end of 7
    {"id": 7, "error": "One sentence.", "kind": "refused" | "cancelled" | "fault"}

Requests are done one after another, in the order in which they came. The clip that was analysed last stays open, so
that a landmark which a person moved is followed up in well under a second. The end of stdin ends the process.
"""
