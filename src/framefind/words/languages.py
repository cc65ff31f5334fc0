"""Languages as codes of two letters, from what files name them."""

import re

_CODES = """
ara=ar baq=eu bel=be ben=bn bos=bs bul=bg cat=ca ces=cs chi=zh cze=cs cym=cy dan=da deu=de
dut=nl ell=el eng=en est=et eus=eu fas=fa fin=fi fra=fr fre=fr ger=de gle=ga glg=gl gre=el
guj=gu heb=he hin=hi hrv=hr hun=hu hye=hy arm=hy ice=is ind=id isl=is ita=it jpn=ja kan=kn
kat=ka geo=ka kaz=kk khm=km kor=ko lao=lo lat=la lav=lv lit=lt mac=mk mal=ml mar=mr may=ms
mkd=mk mlt=mt mon=mn msa=ms mya=my bur=my nep=ne nld=nl nno=nn nob=nb nor=no pan=pa per=fa
pol=pl por=pt ron=ro rum=ro rus=ru sin=si slk=sk slo=sk slv=sl spa=es sqi=sq alb=sq srp=sr
swa=sw swe=sv tam=ta tel=te tgl=tl tha=th tur=tr ukr=uk urd=ur uzb=uz vie=vi wel=cy zho=zh
"""
"""Codes of ISO 639-2, both the bibliographic and the terminological ones, and of ISO 639-1."""

_NAMES = """
arabic=ar chinese=zh chs=zh-Hans cht=zh-Hant czech=cs danish=da dutch=nl english=en
finnish=fi french=fr german=de greek=el hebrew=he hindi=hi hungarian=hu italian=it japanese=ja
korean=ko norwegian=no polish=pl portuguese=pt romanian=ro russian=ru spanish=es
swedish=sv thai=th turkish=tr ukrainian=uk vietnamese=vi
"""
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_THREE_LETTERS = dict(pair.split("=") for pair in _CODES.split())
_WORDS = dict(pair.split("=") for pair in _NAMES.split())
_TWO_LETTERS = {*_THREE_LETTERS.values()}


def find_language(name: str) -> str | None:
    """Return the BCP 47 code of a language that a file names: `eng`, `pt-BR`, `German`; or None."""
    text = name.strip().replace("_", "-").casefold()
    if text in _WORDS:
        return _WORDS[text]
    if not _TAG.fullmatch(text):
        return None
    first, *subtags = text.split("-")
    code = _THREE_LETTERS.get(first, first if first in _TWO_LETTERS else None)
    if code is None:
        return None
    return "-".join([code, *(_write_subtag(part) for part in subtags)])


def _write_subtag(part: str) -> str:
    """Return a region as `BR` and a script as `Hans`."""
    return part.upper() if len(part) == 2 else part.title()
