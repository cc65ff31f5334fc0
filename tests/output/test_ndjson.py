import json
from dataclasses import replace

import numpy as np
import pytest

from framefind.output.json import build_document
from framefind.output.ndjson import write
from framefind.types import Page
from results import BY_MOMENT, BY_VIDEO, MOMENT


@pytest.mark.parametrize(("page", "member"), [(BY_MOMENT, "moments"), (BY_VIDEO, "videos")])
def test_a_line_holds_what_the_document_does(page, member):
    assert [json.loads(line) for line in write(page, {})] == build_document(page, {})[member]


def test_any_path_and_number_is_one_line_of_ascii():
    moment = replace(MOMENT, path="/v/\n東\u202e\udcff.mp4", score=np.float32(53.125))
    (line,) = write(Page([moment], 1, 0), {})
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["path"] == moment.path
