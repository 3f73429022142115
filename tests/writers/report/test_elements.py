import json

import pytest

from echo_keypoints.writers.report.elements import Html, element, join, script_json


def test_texts_and_attributes_are_escaped():
    made = element("td", "a < b & c", "é", class_="x\"y'", data_label=None, hidden=True, title="<")
    assert made == '<td class="x&quot;y&#x27;" hidden title="&lt;">a &lt; b &amp; cé</td>'


def test_elements_hold_elements_lists_and_nothing():
    rows = (element("li", number) for number in (1, 2))
    assert element("ul", rows, None, ["a", Html("<b>")]) == "<ul><li>1</li><li>2</li>a<b></ul>"
    assert element("br") == "<br>" and element("p") == "<p></p>" and join(None) == ""


def test_data_cannot_end_its_script():
    value = {"a": "</script><!--&", "b": [1.5, None]}
    text = script_json(value)
    assert "<" not in text and ">" not in text and json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        script_json(float("nan"))
