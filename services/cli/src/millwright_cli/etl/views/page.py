"""A report as one page of HTML that needs nothing else: no script, no network, no other file."""

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape

from millwright_cli.etl.facts import Measure, Report, Rows
from millwright_cli.etl.views import plots
from millwright_cli.etl.views.production import number
from millwright_cli.etl.views.report import title
from millwright_cli.etl.words import Term
from millwright_cli.words import Words

_MOST_DEFECTS = 12
_PARTS = (
    (Measure.AVAILABILITY, "availability"),
    (Measure.PERFORMANCE, "performance"),
    (Measure.QUALITY, "quality"),
    (Measure.OEE, "oee"),
)
_PIECES = ((Measure.GOOD_QTY, "good"), (Measure.DEFECT_QTY, "defect"), (Measure.SCRAP_QTY, "scrap"))
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--paper:#fff;--line:#d8dee6;--soft:#5b6878;--good:#2e9e6b;--defect:#d6455d;
--scrap:#e2a32b;--availability:#5b8def;--performance:#8a6fd8;--quality:#2e9e6b;--oee:#0f8b9d}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--paper:#14191f;--line:#2c3540;--soft:#93a1b1;--good:#4cc38a;
--defect:#ef6b81;--scrap:#f0bb52;--availability:#86adff;--performance:#b19bf0;--quality:#4cc38a;--oee:#35b8cb}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:780px;margin:2rem auto;
padding:0 1rem}h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(6.6rem,1fr));gap:.6rem;margin:0}
dl div{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .7rem}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.2rem;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
svg{display:block;width:100%;min-width:600px;height:auto}text{fill:var(--ink);font-size:13px}
text.small{font-size:11.5px}.rule{stroke:var(--line)}ul{list-style:none;display:flex;gap:1rem;padding:0;margin:0;
color:var(--soft);font-size:.85rem}li::before{content:"";display:inline-block;width:.8em;height:.8em;margin-right:.4em;
border-radius:2px;background:currentColor}table{border-collapse:collapse;width:100%;
margin-top:2rem;font-variant-numeric:tabular-nums}
th,td{text-align:right;white-space:nowrap;padding:.3rem .5rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
""" + "".join(
    f".{name}{{fill:var(--{name})}}li.{name}::before{{background:var(--{name})}}"
    for name in ("good", "defect", "scrap", "availability", "performance", "quality", "oee")
)


def page(found: Report, say: Words) -> str:
    """Write a report as a page."""
    told = escape(title(found, say))
    body = "".join(_body(found, say))
    return (
        f'<!doctype html>\n<html lang="{say.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{told}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{told}</h1>\n{body}</body></html>\n"
    )


def _body(found: Report, say: Words) -> Iterator[str]:
    if not found.by_day.rows:
        yield f"<p>{escape(say(Term.NO_FACTS))}</p>"
        return
    yield _tiles(found.whole, say)
    if len(found.by_day.rows) > 1:
        yield _section(Term.BY_DAY, _legend(_PIECES, say) + _columns(found.by_day, say), say)
    yield _section(Term.BY_LINE, _lines(found.by_line, say), say)
    if len(found.by_day.rows) > 1:
        yield _grid(found.by_day_and_line)
    yield _section(Term.BY_SHIFT, _legend(_PIECES, say) + _columns(found.by_shift, say), say)
    if found.defects:
        rows = [(kind, pieces, f"{pieces:,.0f}") for kind, pieces in found.defects[:_MOST_DEFECTS]]
        yield _section(Term.DEFECTS, plots.bars(rows, "defect"), say)
    yield _table(found.by_line, say)


def _tiles(whole: Rows, say: Words) -> str:
    ((_, values),) = whole
    tiles = (f"<div><dt>{_name(each, say)}</dt><dd>{number(value, each)}</dd></div>" for each, value in values.items())
    return f"<dl>{''.join(tiles)}</dl>\n"


def _columns(rows: Rows, say: Words) -> str:
    found = list(rows)
    series = [
        (say(Term[f"MEASURE_{measure.name}"]), style, [values[measure] or 0.0 for _, values in found])
        for measure, style in _PIECES
    ]
    return plots.columns([_short(keys[0]) for keys, _ in found], series)


def _lines(rows: Rows, say: Words) -> str:
    groups = [
        (
            keys[0],
            [(say(Term[f"MEASURE_{measure.name}"]), style, values[measure]) for measure, style in _PARTS],
        )
        for keys, values in rows
    ]
    return plots.groups(groups)


def _grid(rows: Rows) -> str:
    found = list(rows)
    days, lines = sorted({keys[0] for keys, _ in found}), sorted({keys[1] for keys, _ in found})
    shares = {(keys[1], _short(keys[0])): values[Measure.OEE] for keys, values in found}
    return plots.grid([_short(day) for day in days], lines, shares)


def _table(rows: Rows, say: Words) -> str:
    heads = "".join(f"<th>{_name(each, say)}</th>" for each in rows.measures)
    body = "".join(
        f"<tr><td>{escape(keys[0])}</td>"
        + "".join(f"<td>{number(value, each)}</td>" for each, value in values.items())
        + "</tr>"
        for keys, values in rows
    )
    head = f"<thead><tr><th>{escape(say(Term.DIMENSION_LINE))}</th>{heads}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def _legend(parts: Sequence[tuple[Measure, str]], say: Words) -> str:
    return "<ul>" + "".join(f'<li class="{style}">{_name(measure, say)}</li>' for measure, style in parts) + "</ul>"


def _section(word: Term, content: str, say: Words) -> str:
    return f"<section><h2>{escape(say(word))}</h2>{content}</section>\n"


def _name(measure: Measure, say: Words) -> str:
    return escape(say(Term[f"MEASURE_{measure.name}"]))


def _short(key: str) -> str:
    try:
        return f"{date.fromisoformat(key):%m-%d}"
    except ValueError:
        return key
