"""Holds the page of a run to what it promises, in a real browser."""

import json
import pathlib
import sys
import time
import urllib.parse

from browser import Browser

folder = pathlib.Path(sys.argv[1]).resolve()
axe = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else None
failures = []


def check(what, found, wanted=True):
    if found == wanted:
        print(f"  ok: {what}")
    else:
        failures.append(what)
        print(f"  FAILED: {what}: found {found!r}, wanted {wanted!r}")


# Acts and reads as a person does; `idle` resolves after the page's own timers have run.
TOOLS = """
const rows = () => [...document.querySelectorAll('#documents tbody tr')];
const column = (name) => [...document.querySelectorAll('#documents thead th')].findIndex(h => h.dataset.column === name);
const texts = (name) => rows().map(row => row.cells[column(name)].textContent.trim());
const head = (name) => document.querySelector(`#documents th[data-column=${name}]`);
const press = (name) => { head(name).querySelector('button').click(); return head(name).getAttribute('aria-sort'); };
const idle = () => new Promise(done => setTimeout(done, 400));
const enter = (name, value) => {
  const field = document.getElementById('filters').elements[name];
  if (field.type === 'checkbox') field.checked = value; else field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  return idle();
};
const shown = () => document.getElementById('shown').textContent;
const numbers = () => [...document.querySelectorAll('.matrix button')];
const filters = () => ['type', 'status', 'label'].map(name => document.getElementById('filters').elements[name].value);
const focusable = () => [...document.querySelectorAll('a[href], button, input, select, [tabindex="0"]')]
  .filter(e => !e.disabled && e.checkVisibility({ visibilityProperty: true }));
// Milliseconds until the page has changed, its own timers included.
const timed = (act) => new Promise(done => {
  const begin = performance.now();
  const end = () => { watcher.disconnect(); document.body.offsetHeight; done(Math.round(performance.now() - begin)); };
  const watcher = new MutationObserver(end);
  watcher.observe(document.querySelector('#documents tbody'), { childList: true });
  act();
});
"""


def is_quiet(browser, url):
    """Nothing was asked, fetched, refused or thrown."""
    check("no dialog opened", browser.heard("Page.javascriptDialogOpening"), [])
    requests = [event["request"]["url"] for event in browser.heard("Network.requestWillBeSent")]
    check("nothing was fetched but the page", requests, [url])
    problems = [event["entry"]["text"] for event in browser.heard("Log.entryAdded")]
    problems += [event["exceptionDetails"]["text"] for event in browser.heard("Runtime.exceptionThrown")]
    check("nothing was refused or thrown", problems, [])


SCROLLABLE = "[...document.querySelectorAll('.scroll')].every(box => box.hasAttribute('tabindex') === box.scrollWidth > box.clientWidth)"


def resize(browser, width, scheme):
    """Resizes the window and waits until the page knows: it learns its new size in its next frame."""
    browser.resize(width, 900, scheme)
    for _ in range(200):
        if browser.run(SCROLLABLE):
            break
        time.sleep(0.05)


def is_accessible(browser, what):
    """axe-core finds nothing wrong, in both color schemes, on a wide and on a narrow screen."""
    if axe is None:
        return
    browser.run(axe + ";0")
    colors = set()
    for width, scheme in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]:
        resize(browser, width, scheme)
        found = json.loads(browser.run(
            "axe.run(document, { resultTypes: ['violations', 'passes'] }).then(found => JSON.stringify({"
            " violations: found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary]),"
            " passes: Object.fromEntries(found.passes.map(v => [v.id, v.nodes.length])) }))"))
        check(f"{what}, {width} wide, {scheme}: axe-core finds nothing", found["violations"], [])
        has = {rule: found["passes"].get(rule, 0) > 0 for rule in ["color-contrast", "link-name", "region"]}
        check("and has examined contrast, links and regions", all(has.values()) or has)
        colors.add(browser.run("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"))
    check("the two schemes have different colors", len(colors), 2)
    browser.resize(1280, 900, "light")


def tab_order(browser, what):
    """The Tab key reaches every control once, from the top of the page to its end, and back."""
    run = browser.run
    check(f"{what}: the Tab key reaches every box that can be scrolled, and no other", run(SCROLLABLE))
    run("focusable().forEach((e, nth) => e.dataset.nth = nth); 0")
    wanted = list(range(run("focusable().length")))
    state = """(() => { const e = document.activeElement; if (!e || e === document.body) return null;
        const box = e.getBoundingClientRect(); const style = getComputedStyle(e);
        return [Number(e.dataset.nth), box.top + scrollY, box.top >= 0 && box.bottom <= innerHeight + 1,
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]; })()"""
    visited, places, seen, marked = [], [], [], []
    for _ in range(len(wanted) + 5):
        browser.press("Tab")
        found = run(state)
        if found is None:
            break
        for kept, value in zip((visited, places, seen, marked), found):
            kept.append(value)
    check(f"{what}: Tab reaches all {len(wanted)} controls in their order", visited, wanted)
    back = [(one, other) for one, other in zip(places, places[1:]) if other < one - 40]
    check("the focus never moves up the page", back, [])
    check("a control with the focus is on the screen", [nth for nth, is_seen in zip(visited, seen) if not is_seen], [])
    check("and has an outline", [nth for nth, is_marked in zip(visited, marked) if not is_marked], [])
    visited = []
    for _ in wanted:
        browser.press("Tab", shift=True)
        found = run(state)
        visited.append(found and found[0])
    check("Shift+Tab goes back", visited, wanted[::-1])


def links(browser):
    """Documents are linked, whatever they are called, and nothing else is."""
    run = browser.run
    linked = run("[...document.querySelectorAll('#documents a')].map(a => [a.textContent, a.href, a.protocol])")
    check("every link opens a file", {protocol for _, _, protocol in linked}, {"file:"})
    documents = [(name, url) for name, url, _ in linked if name.startswith("docs/")]
    copies = [url for name, url, _ in linked if name.startswith("sorted/")]
    check("every document but the HTML page has a link", len(documents), run("rows().length") - 1)
    check("the HTML page has none", [name for name, _ in documents if name.endswith(".html")], [])
    check("copies have links", len(copies) > 0)
    for name, url in documents + [("", url) for url in copies]:
        parts = urllib.parse.urlsplit(url)
        path = pathlib.Path(urllib.parse.unquote(parts.path))
        if not path.is_file() or parts.query or parts.fragment:
            check(f"the link of {name!r} opens its file", url)
    # A document in the folder of the page moves with it; others stay where they are.
    hrefs = run("[...document.querySelectorAll('#documents a')].map(a => a.getAttribute('href'))")
    check("so its links are relative", {href[:7] for href in hrefs}, {"./work/"})
    # A name that looks like a script.
    name = "docs/javascript:alert(8).txt"
    run(f"[...document.querySelectorAll('#documents a')].find(a => a.textContent === {name!r}).focus(); 0")
    browser.press("Enter")
    for _ in range(100):
        tabs = browser.call("Target.getTargets")["targetInfos"]
        opened = [tab for tab in tabs if tab["url"].endswith("alert(8).txt")]
        if opened:
            break
        time.sleep(0.05)
    check("Enter opens the document in a new tab", len(opened), 1)
    check("which has no access to the page", [tab.get("openerId") for tab in opened if tab.get("canAccessOpener")], [])
    for tab in opened:
        browser.call("Target.closeTarget", targetId=tab["targetId"])
    browser.call("Page.bringToFront")


def matrix(browser):
    """Each number of the confusion matrix shows as many documents."""
    run = browser.run
    found = run("""numbers().map(button => { button.click(); const found = [Number(button.textContent), rows().length,
        new Set(texts('type')).size, new Set(texts('label')).size, button.getAttribute('aria-pressed'),
        document.querySelectorAll('.matrix [aria-pressed=true]').length]; return found; })""")
    check("the matrix has numbers to press", len(found) >= 5)
    check("each shows the documents that it counts",
          [one for one in found if one[0] != one[1] or one[2:] != [1, 1, "true", 1]], [])
    check("the focus is at the documents", run("document.activeElement.id"), "all-documents")
    check("a press again shows all", run("numbers().at(-1).click(); [rows().length, filters()]"), [35, ["", "", ""]])
    name = "3 documents: label invoice, result receipt"
    check("a number has a name", run(f"numbers().some(button => button.getAttribute('aria-label') === {name!r})"))
    run(f"numbers().find(button => button.getAttribute('aria-label') === {name!r}).click()")
    check("its documents", sorted(run("texts('document')")), ["docs/scan-2.txt", "docs/scan-20.txt", "docs/scan-8.txt"])
    run("enter('text', 'scan-2')")
    check("a search narrows them", run("rows().length"), 2)
    run("document.getElementById('clear').click()")
    check("all filters are cleared at once", run("[rows().length, filters(), shown()]"), [35, ["", "", ""], "35 documents"])
    check("no number is pressed", run("document.querySelectorAll('.matrix [aria-pressed=true]').length"), 0)


def bars(browser):
    for width in (1280, 800, 390):
        browser.resize(width, 900, "light")
        found = browser.run("""[...document.querySelectorAll('.types tbody tr')].map(row => {
            const [bar, name, table] = ['.bar', 'th', 'table'].map(s => (s === 'table' ? row.closest(s) : row.querySelector(s)).getBoundingClientRect().width);
            return [Number(row.cells[1].textContent), bar, name, table]; })""")
        most = max(number for number, *_ in found)
        shares = [(round(bar / found[0][1], 2), round(number / found[0][0], 2)) for number, bar, _, _ in found]
        check(f"bars show the numbers at a width of {width}", [pair for pair in shares if abs(pair[0] - pair[1]) > 0.02], [])
        widest = next(bar / name for number, bar, name, _ in found if number == most)
        check("the longest takes its column", widest > 0.9)
        check("which takes the width that the figures leave", found[0][2] / found[0][3] > {1280: 0.4, 800: 0.55, 390: 0.99}[width])
    browser.resize(1280, 900, "light")


def whole_report(browser):
    url = (folder / "report.html").as_uri()
    print("the report of a run")
    browser.open(url)
    browser.run(TOOLS)
    browser.resize(1280, 900, "light")
    run = browser.run
    check("every document has a row", run("rows().length"), 35)
    check("it says so", run("shown()"), "35 documents")
    # Documents without a result, then without a match, then with the lowest confidence.
    first = run("texts('document').slice(0, 5)")
    check("the first are those to review", first, [
        "docs/empty.txt", "docs/torn.pdf", "docs/heron.txt", "docs/scan-1.txt", "docs/scan-2.txt"])
    check("17 are marked", run("rows().filter(row => row.classList.contains('review')).length"), 17)

    check("a press sorts upwards", run("press('document')"), "ascending")
    scans = "texts('document').filter(name => name.includes('scan'))"
    check("by number", run(scans)[:3], ["docs/scan-1.txt", "docs/scan-2.txt", "docs/scan-3.txt"])
    check("a second press sorts downwards", run("press('document')"), "descending")
    check("the last number is first", run(scans)[0], "docs/scan-20.txt")
    check("a third press restores the order", run("press('document')"), "none")
    check("as it was", run("texts('document').slice(0, 5)"), first)
    run("press('confidence')")
    numbers = [text for text in run("texts('confidence')")]
    given = [float(text) for text in numbers if text]
    check("confidences sort as numbers", given, sorted(given))
    check("what has none comes last", numbers[-2:], ["", ""])
    check("one column at most is sorted", run("document.querySelectorAll('th[aria-sort=ascending], th[aria-sort=descending]').length"), 1)
    run("press('confidence'); press('confidence')")

    run("enter('text', 'SCAN-1')")
    check("a search takes part of a name, in any case", run("rows().length"), 11)
    check("it says of how many", run("shown()"), "11 documents (of 35)")
    run("enter('text', 'broken')")
    check("a search finds reasons", run("texts('document')"), ["docs/torn.pdf"])
    run("enter('text', 'nothing of the kind')")
    check("a search may find nothing", run("[rows().length, shown()]"), [0, "0 documents (of 35)"])
    run("enter('text', '')")
    run("enter('type', '+receipt')")
    check("a filter by type", run("new Set(texts('type')).size === 1 && rows().length"), 10)
    run("enter('type', '-no match')")
    check("a filter for no match leaves out a type of that name", run("texts('document')"), ["docs/heron.txt"])
    run("enter('type', '+no match')")
    check("and the reverse", run("texts('document')"), ["docs/gull.txt"])
    run("enter('type', '')")
    run("enter('label', '-')")
    check("a filter for documents without a label", run("new Set(texts('label')).size === 1 && rows().length"), 12)
    run("enter('label', '')")
    run("enter('status', '+FAILED')")
    check("a filter by status", run("texts('document')"), ["docs/torn.pdf"])
    run("enter('status', '')")
    run("enter('review', true)")
    check("a filter for what is to review", run("rows().length"), 17)
    run("enter('mistakes', true)")
    check("two filters at once", run("texts('document')"), ["docs/torn.pdf", "docs/scan-2.txt", "docs/scan-8.txt"])
    run("enter('review', false)")
    check("mistakes against the labels", run("texts('label')"), ["✗ invoice"] * 4)
    run("enter('mistakes', false)")
    check("all are back", run("rows().length"), 35)

    matrix(browser)
    bars(browser)
    links(browser)

    check("no name made an element", run("document.querySelectorAll('img, iframe, object, embed, link, body script').length"), 0)
    check("one script and one style", run("[document.scripts.length, document.styleSheets.length]"), [1, 1])
    check("a name is shown as it is", run("texts('document').includes('docs/</script><img src=x onerror=alert(4)>.txt')"))
    check("a line break in a name is shown", run("texts('document').some(name => name.includes('line␊break'))"))
    check("no attribute handles an event", run(
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"), 0)
    for width in (1280, 390):
        browser.resize(width, 900, "light")
        tree = browser.call("Accessibility.getFullAXTree")["nodes"]
        named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")]
        for role, name in [("table", "Documents"), ("table", "By type"), ("table", "Confusion matrix"), ("columnheader", "Confidence"),
                           ("rowheader", "invoice"), ("searchbox", "Search"), ("combobox", "Type"), ("checkbox", "to review only"),
                           ("link", "docs/scan-1.txt"), ("status", ""), ("heading", "Comparison with the labels")]:
            check(f"{width} wide: the {role} {name!r} is there for a screen reader", any(
                found == role and text.startswith(name) for found, text in named))
        unnamed = [role for role, name in named if role in ("button", "combobox", "searchbox", "checkbox", "image", "link") and not name]
        check("every control and drawing has a name", unnamed, [])
    browser.resize(1280, 900, "light")

    # Even markup that came in would stay dead.
    run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken=1\">'); idle()")
    check("the policy would stop what got in", run("window.broken === undefined"))
    check("and told the browser so", any("Content Security Policy" in event["entry"]["text"] for event in browser.heard("Log.entryAdded")))

    browser.open(url)
    for name, width, scheme in [("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 390, "light")]:
        browser.look(folder / f"{name}.png", width, 900, scheme)
        check(f"{name}: nothing sticks out", browser.run("document.documentElement.scrollWidth <= innerWidth"))
    browser.paper(folder / "paper.pdf")
    is_quiet(browser, url)
    is_accessible(browser, "a report")
    # The colors of a pressed number, of a sorted column and of a list that is not complete.
    browser.run(TOOLS)
    browser.run("numbers()[1].click(); press('document'); 0")
    is_accessible(browser, "a filtered report")

    for width in (1280, 390):
        browser.open(url)
        browser.run(TOOLS)
        resize(browser, width, "light")
        tab_order(browser, f"{width} wide")

    browser.open(url, scripts=False)
    check("without scripts all rows are there", browser.count("#documents tbody tr"), 35)
    check("and nothing that would not work", browser.count("button:not(.pager button, #clear), #filters:not([hidden]), #matrix-hint:not([hidden])"), 0)


def fifty_thousand(browser):
    path = folder / "many.html"
    url = path.as_uri()
    print("fifty thousand documents")
    browser.open(url)
    browser.run(TOOLS)
    run = browser.run
    check("a page of them is shown", run("[rows().length, shown()]"), [200, "1 to 200 of 50,000 documents"])
    check("they are below their heading", run("document.documentElement.className"), "")
    elements = run("document.querySelectorAll('*').length")
    check("few elements are in the page", elements < 10_000 or elements)
    print(f"  figure: {path.stat().st_size / 1e6:.1f} MB, loaded in {run('Math.round(performance.timing.loadEventEnd - performance.timing.navigationStart)')} ms, "
          f"{run('rows().length')} rows and {elements} elements in the page")
    run("document.querySelectorAll('#pager button')[1].click()")
    check("and the next", run("shown()"), "201 to 400 of 50,000 documents")
    up, down = run("timed(() => press('document'))"), run("timed(() => press('document'))")
    print(f"  figure: sorted by name in {up} ms, in reverse in {down} ms")
    check("all are sorted", run("texts('document')[0]"), "many/m-49999.txt")
    print(f"  figure: filtered by a word in {run('timed(() => enter(`text`, `m-123`))')} ms, 150 ms of them after the last key")
    check("all are searched", run("[rows().length, shown()]"), [111, "111 documents (of 50,000)"])
    run("enter('text', ''); idle()")
    print(f"  figure: filtered by a number of the matrix in {run('timed(() => numbers()[0].click())')} ms")
    check("a number of the matrix finds all", run("[rows().length, shown()]"), [200, "1 to 200 of 7,143 documents (of 50,000)"])
    run("document.querySelectorAll('#pager button')[1].focus(); for (let page = 0; page < 35; page++) document.querySelectorAll('#pager button')[1].click()")
    check("at the last page, the focus moves to the other button", run("[rows().length, document.activeElement.textContent]"), [143, "Previous"])
    run("document.getElementById('clear').click()")
    check("on paper all are shown", run("dispatchEvent(new Event('beforeprint')); rows().length"), 50000)
    check("and then a page again", run("dispatchEvent(new Event('afterprint')); rows().length"), 200)
    check("there is nothing to review to filter by", run("document.getElementById('filters').elements.review === undefined"))
    is_quiet(browser, url)
    is_accessible(browser, "a long report")


def moved(browser):
    """The page lies in the folder of the documents, and the documents were moved."""
    url = (folder / "work" / "pages" / "moved.html").as_uri()
    print("a report of documents that were moved, in another folder")
    browser.open(url)
    browser.run(TOOLS)
    hrefs = browser.run("[...document.querySelectorAll('#documents a')].map(a => a.getAttribute('href'))")
    places = [folder / "work" / "moved" / "receipt" / name for name in ["moved-1?.txt", "moved-2.txt"]]
    check("only the new places are linked", sorted(hrefs), [place.as_uri() for place in places])
    is_quiet(browser, url)


def no_result(browser):
    for name, what in [("none.html", "a run without a result"), ("empty.html", "a run without documents"), ("stopped.html", "a stopped run")]:
        url = (folder / name).as_uri()
        print(what)
        browser.open(url)
        browser.run(TOOLS)
        wanted = {"none.html": [1, "1 document"], "empty.html": [0, "0 documents"], "stopped.html": [2, "2 documents"]}[name]
        check("it is shown all the same", browser.run("[rows().length, shown()]"), wanted)
        check("no figure is broken", browser.run("/NaN|undefined|Infinity/.test(document.documentElement.outerHTML.replace(/<script>.*<\\/script>/s, ''))"), False)
        is_quiet(browser, url)
        is_accessible(browser, what)


with Browser() as browser:
    whole_report(browser)
    fifty_thousand(browser)
    moved(browser)
    no_result(browser)
print(f"report in a browser: {len(failures)} failed")
sys.exit(bool(failures))
