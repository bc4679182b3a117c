"""Holds the page of a run to what it promises, in a real browser."""

import pathlib
import sys

from browser import Browser

folder = pathlib.Path(sys.argv[1]).resolve()
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
"""


def is_quiet(browser, url):
    """Nothing was asked, fetched, refused or thrown."""
    check("no dialog opened", browser.heard("Page.javascriptDialogOpening"), [])
    requests = [event["request"]["url"] for event in browser.heard("Network.requestWillBeSent")]
    check("nothing was fetched but the page", requests, [url])
    problems = [event["entry"]["text"] for event in browser.heard("Log.entryAdded")]
    problems += [event["exceptionDetails"]["text"] for event in browser.heard("Runtime.exceptionThrown")]
    check("nothing was refused or thrown", problems, [])


def whole_report(browser):
    url = (folder / "report.html").as_uri()
    print("the report of a run")
    browser.open(url)
    browser.run(TOOLS)
    run = browser.run
    check("every document has a row", run("rows().length"), 31)
    check("it says so", run("shown()"), "31 documents")
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
    check("it says of how many", run("shown()"), "11 documents (of 31)")
    run("enter('text', 'broken')")
    check("a search finds reasons", run("texts('document')"), ["docs/torn.pdf"])
    run("enter('text', 'nothing of the kind')")
    check("a search may find nothing", run("[rows().length, shown()]"), [0, "0 documents (of 31)"])
    run("enter('text', '')")
    run("enter('type', 'receipt')")
    check("a filter by type", run("new Set(texts('type')).size === 1 && rows().length"), 10)
    run("enter('type', '')")
    run("enter('status', 'FAILED')")
    check("a filter by status", run("texts('document')"), ["docs/torn.pdf"])
    run("enter('status', '')")
    run("enter('review', true)")
    check("a filter for what is to review", run("rows().length"), 17)
    run("enter('mistakes', true)")
    check("two filters at once", run("texts('document')"), ["docs/torn.pdf", "docs/scan-2.txt"])
    run("enter('review', false)")
    check("mistakes against the labels", run("texts('label')"), ["✗ invoice", "✗ invoice", "✗ invoice"])
    run("enter('mistakes', false)")
    check("all are back", run("rows().length"), 31)

    check("no name made an element", run("document.querySelectorAll('img, iframe, object, embed, link, a[href], main script').length"), 0)
    check("one script and one style", run("[document.scripts.length, document.styleSheets.length]"), [1, 1])
    check("a name is shown as it is", run("texts('document').includes('docs/</script><img src=x onerror=alert(4)>.txt')"))
    check("a line break in a name is shown", run("texts('document').some(name => name.includes('line␊break'))"))
    check("no attribute handles an event", run(
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"), 0)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node.get("ignored")]
    for role, name in [("table", "Documents"), ("columnheader", "Confidence"), ("searchbox", "Search"), ("combobox", "Type"),
                       ("checkbox", "to review only"), ("status", ""), ("heading", "Comparison with the labels")]:
        check(f"the {role} {name!r} is there for a screen reader", any(
            found == role and text.startswith(name) for found, text in named))
    unnamed = [role for role, name in named if role in ("button", "combobox", "searchbox", "checkbox", "image") and not name]
    check("every control and drawing has a name", unnamed, [])

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

    browser.open(url, scripts=False)
    check("without scripts all rows are there", browser.count("#documents tbody tr"), 31)
    check("and nothing that would not work", browser.count("button:not(.pager button), #filters:not([hidden])"), 0)


def ten_thousand(browser):
    url = (folder / "many.html").as_uri()
    print("ten thousand documents")
    browser.open(url)
    browser.run(TOOLS)
    run = browser.run
    check("a page of them is shown", run("[rows().length, shown()]"), [200, "1 to 200 of 10,000 documents"])
    run("document.querySelectorAll('#pager button')[1].click()")
    check("and the next", run("shown()"), "201 to 400 of 10,000 documents")
    run("press('document'); press('document')")
    check("all are sorted", run("texts('document')[0]"), "many/m-9999.txt")
    run("enter('text', 'm-123')")
    check("all are searched", run("rows().length"), 11)
    run("enter('text', ''); idle()")
    check("on paper all are shown", run("dispatchEvent(new Event('beforeprint')); rows().length"), 10000)
    check("and then a page again", run("dispatchEvent(new Event('afterprint')); rows().length"), 200)
    check("there is nothing to review to filter by", run("document.getElementById('filters').elements.review === undefined"))
    is_quiet(browser, url)


def no_result(browser):
    url = (folder / "none.html").as_uri()
    print("a run without a result")
    browser.open(url)
    browser.run(TOOLS)
    check("it is shown all the same", browser.run("[rows().length, shown()]"), [1, "1 document"])
    check("no figure is broken", browser.run("/NaN|undefined|Infinity/.test(document.documentElement.outerHTML.replace(/<script>.*<\\/script>/s, ''))"), False)
    is_quiet(browser, url)


with Browser() as browser:
    whole_report(browser)
    ten_thousand(browser)
    no_result(browser)
print(f"report in a browser: {len(failures)} failed")
sys.exit(bool(failures))
