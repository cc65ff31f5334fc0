"""Reports for people: an HTML file and a PDF sheet, read by other parsers."""

import io
from dataclasses import replace
from html.parser import HTMLParser

import pypdf
from PIL import Image

from framefind.output import html, pdf
from framefind.types import Match
from media import corners
from results import MOMENT

SAID = replace(
    MOMENT, path="/v/a (1) é.mp4", why=(Match("said", 1.0, 2.0, "a <dog>\u202e", ((3, 6),)),)
)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(corners((320, 180))).save(file, "JPEG")
    return file.getvalue()


class Reader(HTMLParser):
    """Collects addresses and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.text = ""
        self.marked = ""
        self.marks = False

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.links += [facts["href"]] if tag == "a" else []
        self.images += [facts["src"]] if tag == "img" else []
        self.marks = tag == "mark"

    def handle_data(self, data):
        self.text += data
        self.marked += data if self.marks else ""


def test_html_shows_pictures_words_and_links():
    reader = Reader()
    reader.feed("\n".join(html.write([SAID, MOMENT], [jpeg(), None], "<dogs>")))
    assert reader.links[0] == "file:///v/a%20%281%29%20%C3%A9.mp4#t=10.000,12.500"
    assert len(reader.images) == 1
    assert reader.images[0].startswith("data:image/jpeg;base64,")
    assert "a <dog>\\u202e" in reader.text
    assert reader.marked.startswith("dog")
    assert reader.text.lstrip().startswith("<dogs>")
    assert "score 53.1 · sure 87%" in reader.text


def test_pdf_has_pages_of_eight_with_links():
    moments = [SAID] * 9
    document = pypdf.PdfReader(io.BytesIO(pdf.write(moments, [jpeg()] * 8 + [None], "dogs")))
    first, second = document.pages
    assert len(first["/Annots"]) == 8
    (link,) = second["/Annots"]
    address = link.get_object()["/A"]["/URI"]
    assert address == "file:///v/a%20%281%29%20%C3%A9.mp4#t=10.000,12.500"
    (picture,) = first.images
    assert picture.image.size == (1240, 1754)
