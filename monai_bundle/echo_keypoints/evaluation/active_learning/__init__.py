"""Does it pay to choose? Learning curves of strategies on phantoms: error against number of labelled clips.

The task is one that teams meet: most clips of a pool look as the detector knows them, some come from a device that
shows the heart as the detector has never seen it (`clips.DEVICES`). A strategy picks clips, their landmarks are given,
the detector is fine-tuned on all clips that have landmarks so far, and is scored on other clips of the same mixture;
then it picks again. Strategies are compared on the same pools, pair by pair.

Before that, without any training: how wrong is the detector on the clips that a strategy ranks first?

``python -m echo_keypoints.evaluation.active_learning -o FOLDER``; what is in the folder already is not done again.
"""
