"""The pages say what the program does: commands, alerts, settings, metrics, packages, files and links exist."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

import hub
from hub import reasons, recipes
from hub.cli import main
from hub.conditions import COMPARISONS
from hub.config import connections, people, routes, sections, steps, sync_reader
from hub.config.load import SECTIONS
from hub.mapping import TRANSFORMS
from tests.docs.pages import (
    ALL,
    DOCS,
    README,
    ROOT,
    VENDORS,
    anchors,
    blocks,
    commands,
    headings,
    inline_code,
    links,
    section,
)
from tests.docs.pages import name as page_name

ADMIN = ROOT / "docs" / "admin.md"
OPERATORS = ROOT / "docs" / "operators.md"
HEADINGS = [
    "Set up", "Permissions", "What it brings", "What it does",
    "Limits", "Known limitations", "Troubleshooting", "Removal",
]  # fmt: skip
SOURCES = {path: path.read_text("utf-8") for path in (ROOT / "hub").rglob("*.py")}


# --- commands -----------------------------------------------------------------------------------------


def wrong_with(words: str) -> str:
    """Return what is wrong with a command line as a page writes it; "" if the program would understand it."""
    command: click.Command = main
    context = click.Context(main, info_name="hub")
    expects_value = False
    for word in shlex.split(re.sub(r"[\[\]…]|\.\.\.", " ", words.split("|")[0]), comments=True):
        if expects_value:
            expects_value = False
        elif word.startswith("-") and len(word) > 1:
            flag, given, _ = word.partition("=")
            known = {opt: one for one in command.get_params(context) for opt in (*one.opts, *one.secondary_opts)}
            if flag not in known:
                return f"{command.name} has no option {flag}"
            option = known[flag]
            expects_value = not given and isinstance(option, click.Option) and not option.is_flag
            expects_value = expects_value and flag not in ("--help", "--version")
        elif isinstance(command, click.Group) and word.isalpha() and word.islower():
            if word not in command.list_commands(context):
                return f"there is no command {command.name} {word}"
            found = command.get_command(context, word)
            assert found is not None
            command, context = found, click.Context(found, info_name=word, parent=context)
    return ""


MENTIONED = sorted({command for page in ALL for command in commands(page)})


@pytest.mark.parametrize(("where", "words"), MENTIONED, ids=lambda one: one[:60])
def test_a_command_that_is_mentioned_exists(where: str, words: str) -> None:
    assert wrong_with(words) == "", where


def test_remedies_name_commands_that_exist() -> None:
    for code, text in reasons.REMEDIES.items():
        for words in re.findall(r"hub ((?:[a-z]+ ?)+(?:--[a-z]+ \S+ ?)*)", text.replace("{{", "").replace("}}", "")):
            first = words.split()[0]
            if first in main.list_commands(click.Context(main)):
                assert wrong_with(words) == "", code


def test_every_command_stands_somewhere() -> None:
    told = {words.split()[0] for page, words in MENTIONED if page != "docs/cli.md"}
    missing = set(main.list_commands(click.Context(main))) - told - {"docs"}
    assert not missing, f"no page for people mentions: {missing}"


def test_the_checker_itself_finds_mistakes() -> None:
    assert wrong_with("deliveries list --state parked") == ""
    assert "no command" in wrong_with("delivery list")
    assert "no option" in wrong_with("run --prot 8080")


# --- alerts, settings, variables, metrics ---------------------------------------------------------------


def test_every_alert_has_its_heading_with_its_words() -> None:
    codes = {code: text for code, text in reasons.TEXTS["en"].items() if code.startswith("alert_")}
    told = [text for level, text in headings(OPERATORS) if level == 3 and text.startswith("alert_")]
    assert sorted(told) == sorted(codes)
    assert set(codes) == {kind.partition(".")[0] for kind in reasons.REMEDIES}
    for code, text in codes.items():
        page = section(OPERATORS, code)
        assert f"> {text}\n" in page, f"{code}: the quote should read: {text}"
        assert "**Do:**" in page


def test_every_alert_is_raised_somewhere() -> None:
    raised = "\n".join(text for path, text in SOURCES.items() if path.name != "reasons.py")
    silent = [code for code in reasons.TEXTS["en"] if code.startswith("alert_") and f'"{code}"' not in raised]
    assert not silent, f"operators.md explains alerts that nothing raises: {silent}"


def test_the_language_is_told_whole() -> None:
    words = set(re.findall(r"\w+", " ".join([*inline_code(ADMIN), *(block.text for block in blocks(ADMIN, "yaml"))])))
    for what in (
        SECTIONS, sections._HUB, people._PEOPLE, steps.STEP_KEYS, steps.LATER_KEYS, routes.LATER_ROUTE_KEYS,
        routes._ROUTE_KEYS, sync_reader._KEYS, connections.COMMON, TRANSFORMS, COMPARISONS,
    ):  # fmt: skip
        assert set(what) <= words, f"docs/admin.md doesn't mention {set(what) - words}"


def test_every_variable_is_told() -> None:
    used = set()
    for path, text in SOURCES.items():
        if "testing" not in path.parts and "demo" not in path.parts:
            used |= set(re.findall(r"""(?:environ(?:\.get)?[\[(]|envvar=|\.get\()"([A-Z][A-Z_]{3,})\"""", text))
    told = set(re.findall(r"`([A-Z][A-Z_]{3,})`", section(OPERATORS, "Variables")))
    used -= {"REMOTE_ADDR", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "PYTHONPATH"}
    assert {"HUB_SECRET_KEY", "HUB_DATA"} <= used
    assert told == used


def test_every_metric_is_told() -> None:
    text = SOURCES[ROOT / "hub" / "metrics.py"] + SOURCES[ROOT / "hub" / "web.py"]
    made = set(re.findall(r'"(hub_[a-z_]+)"', text))
    told = {one.removesuffix("_total") for one in re.findall(r"`(hub_[a-z_]+)", section(OPERATORS, "Metrics"))}
    assert told == made


def test_the_counters_are_told() -> None:
    text = "\n".join(SOURCES.values())
    told = set(re.findall(r"`([a-z_]+)`", section(OPERATORS, "Metrics").partition("Names in")[2].partition("Worth")[0]))
    told.discard("hub_things_total")
    for one in told:
        kind = one.removeprefix("delivery_")
        assert f'"{one}"' in text or f'"{kind}"' in text, f"nothing counts {one}"


# --- packages and files ---------------------------------------------------------------------------------


def requirements() -> dict[str, set[str]]:
    """Return the packages of setup.cfg: heading of the page -> names."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    lists = {
        "What the hub needs": setup["options"]["install_requires"], "For PostgreSQL": extras["postgresql"],
        "For working on the hub": extras["dev"],
    }  # fmt: skip
    return {
        heading: {re.split(r"[\s\[<>=;]", line.strip())[0] for line in text.splitlines() if line.strip()}
        for heading, text in lists.items()
    }


@pytest.mark.parametrize("heading", requirements())
def test_each_package_says_why_it_is_here(heading: str) -> None:
    page = ROOT / "docs" / "dependencies.md"
    told = re.findall(r"^\| `([\w.-]+)` \| (.{10,}?) \|", section(page, heading), re.M)
    assert {name for name, _ in told} == requirements()[heading]


def test_files_that_are_named_exist() -> None:
    page = ROOT / "docs" / "architecture.md"
    for path in re.findall(r"`((?:hub|tests|plugins|docs)/[\w./]+)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"`([a-z_]+/?)`", section(page, "Layers")):
        if module not in ("hub",):
            assert (ROOT / "hub" / module).is_dir() or (ROOT / "hub" / f"{module}.py").exists(), module
    for file in re.findall(r"`([a-z_]+\.py)", page.read_text("utf-8")):
        assert list((ROOT / "hub").rglob(file)) or list((ROOT / "tests").rglob(file)), file


def test_the_changelog_knows_this_version() -> None:
    assert (2, hub.__version__) in headings(ROOT / "CHANGELOG.md")


def test_recipes_that_are_named_exist() -> None:
    for page in ALL:
        named = re.findall(r"--recipe ([a-z_]+)", page.read_text("utf-8"))
        assert set(named) <= set(recipes.names()), page_name(page)


# --- links and headings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ALL, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file), link


def test_the_readme_leads_to_every_page() -> None:
    reached = {(README.parent / link.partition("#")[0]).resolve() for link in links(README)}
    assert {*DOCS, *VENDORS} <= reached


@pytest.mark.parametrize("page", VENDORS, ids=page_name)
def test_a_vendor_page_has_its_parts(page: Path) -> None:
    told = [text for level, text in headings(page) if level == 2]
    assert [text for text in told if text in HEADINGS] == HEADINGS
    first, last = told.index("What it does"), told.index("Limits")
    assert set(told) - set(HEADINGS) <= set(told[first:last]), "what a vendor alone has stands after What it does"
