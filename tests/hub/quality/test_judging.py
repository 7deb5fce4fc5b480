"""The scale: what counts, what a tier is, and that a claim which doesn't hold is found, rule by rule.

The plugin under judgement is the one `hub plugins new` writes; each case takes one thing away from it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hub.quality import RULES, Report, Tier, judge_connector, to_paste
from hub.quality.naming import named_in, spelled_out
from hub.scaffold import make
from hub.testing import load_plugin

_NUMBER = itertools.count(1)
Judge = Callable[..., Report]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Write a plugin, change one of its files, claim `answers`, judge it."""

    def judge(file: str = "", old: str = "", new: str = "", **answers: object) -> Report:
        name = f"judged_{next(_NUMBER)}"
        folder = make(name, tmp_path / name).folder
        if file:
            path = folder / file.replace("NAME", name)
            text = path.read_text()
            assert re.search(old, text, re.M), f"{path.name} has nothing like {old}"
            path.write_text(re.sub(old, new, text, flags=re.M))
        claims = {**yaml.safe_load((folder / "quality.yaml").read_text()), **answers}
        (folder / "quality.yaml").write_text(yaml.safe_dump({rule: one for rule, one in claims.items() if one}))
        [connector] = load_plugin(folder).hub_connectors()
        return judge_connector(connector)

    return judge


# --- answers -----------------------------------------------------------------------------------------


def test_a_plugin_as_it_is_written_claims_nothing_false(judge: Judge) -> None:
    report = judge()
    assert (report.problems, report.disproven, report.unanswered) == ((), [], [])
    assert report.tier is Tier.none
    assert {one.rule.name for one in report.missing} == {"once", "samples", "readme", "removal"}


def test_the_tiers_are_climbed_one_by_one(judge: Judge) -> None:
    todo = {"todo": "nobody looked at it yet"}
    exempt = {"exempt": "it can't apply, says this test"}
    bronze = {name: "done" for name, rule in RULES.items() if rule.tier == Tier.bronze}
    assert judge(**bronze).tier is Tier.bronze
    silver = {"client": "done", "one_effect": "done", "order": exempt, "limits": "done", "limits_learned": "done",
              "codes": {"exempt": "x" * 20}, "sandbox": "done", "echo": exempt, "refresh_once": exempt}  # fmt: skip
    report = judge(**bronze, **silver)
    assert [one.rule.name for one in report.missing] == ["codes"], "it declares statuses, so it can't be exempt"
    assert report.answers["codes"].found == ("it applies: it declares statuses",)
    silver["codes"] = "done"
    assert (
        judge("codes.py", "the vendor's documentation", "https://docs.x.example", **bronze, **silver).tier
        is Tier.silver
    )
    assert judge(**bronze, **{**silver, "echo": todo}).tier is Tier.bronze
    assert judge(**{**bronze, **silver, "hostile": todo}).tier is Tier.none


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("done", "done"), ({"done": "tried with three accounts"}, "done"), ({"todo": "the vendor's side"}, "todo"),
        ("yes", "disproven"), ({"todo": "x"}, "disproven"), ({"todo": "long enough it is", "exempt": "y"}, "disproven"),
        ({"maybe": "long enough it is"}, "disproven"), (["done"], "disproven"), (None, "unanswered"),
    ],
)  # fmt: skip
def test_what_an_answer_may_be(judge: Judge, answer: object, state: str) -> None:
    report = judge(structure=answer)
    assert report.answers["structure"].state == state
    assert bool(report.problems) == (state == "disproven")


def test_an_unknown_rule_gets_a_guess(judge: Judge) -> None:
    assert judge(verificaton="done").problems == (
        'quality.yaml: there is no rule "verificaton". Did you mean "verification"?',
    )


def test_what_is_not_answered_can_be_pasted(judge: Judge) -> None:
    report = judge(settings=None, names=None)
    pasted = yaml.safe_load(to_paste(report.unanswered))
    assert pasted["settings"] == "done"
    assert "names() is not overridden" in pasted["names"]["todo"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [\n", ""])
def test_a_file_that_is_no_list_of_answers(judge: Judge, tmp_path: Path, text: str) -> None:
    folder = make("judged_text", tmp_path / "judged_text").folder
    (folder / "quality.yaml").write_text(text)
    report = judge_connector(load_plugin(folder).hub_connectors()[0])
    assert report.problems
    assert len(report.unanswered) == len(RULES)


def test_live_wants_words(judge: Judge) -> None:
    assert judge(live="done").answers["live"].state == "disproven"
    report = judge(live={"done": "2026-02-11, a portal on the plan Professional"})
    assert (report.answers["live"].state, report.answers["live"].seen) == ("done", False)


# --- claims that don't hold --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "file", "old", "new", "words"),
    [
        ("settings", "schemas.py", r'^ *"help": "The API token.*$', "", "setting token has no help"),
        ("settings", "schemas.py", r'"secret": True', '"of": "x"', "sounds secret"),
        ("redaction", "schemas.py", r'"secret": True', '"of": "x"', "sounds secret"),
        ("redaction", "connector.py", r"words = (.*)", r'words = \1\n            print(self.settings["token"])',
         "tells setting token"),
        ("redaction", "connector.py", r"return outgoing.done",
         'raise ValueError(f"no {self.settings[\'secret\']}")\n        return outgoing.done', "tells setting secret"),
        ("redaction", "connector.py", r"words = (.*)", r'words = \1\n            log.info(self.settings.get("token"))',
         "tells setting token"),
        ("verification", "connector.py", r"def verify", "def verify_not", "verify() is not overridden"),
        ("verification", "incoming.py", r"hmac\.compare_digest\((.*), (.*)\)", r"\1 == \2", "compare_digest"),
        ("verification", "tests/test_NAME.py", r"\(WebhookContract\)", "", "no test inherits WebhookContract"),
        ("once", "connector.py", r"def receipt_key", "def other_key", "gives a message its key"),
        ("samples", "connector.py", "invented.webhook.json", "gone.json", "gone.json doesn't exist"),
        ("hostile", "tests/test_NAME.py", r"\(WebhookContract\)", "", "no test inherits"),
        ("pure", "incoming.py", r"key = key_of\(message\)", "key = str(dt.datetime.now())", "datetime.now"),
        ("pure", "incoming.py", r"^import hashlib", "import hashlib\nimport requests", "uses requests"),
        ("readme", "README.md", "^## Permissions$", "## Rights", "no heading Permissions"),
        ("readme", "README.md", r"To be said: which rights", "TODO which rights", "it still says TODO"),
        ("removal", "README.md", r"## Removal\n(.*\n)*", "## Removal\n\nDelete it.\n", "next to nothing"),
        ("client", "client.py", r"^from typing", "import urllib3\nfrom typing", "imports urllib3"),
        ("client", "tests/test_NAME_api.py", "AuthFailed", "Retry", "a dead token"),
        ("one_effect", "connector.py", r'uncertain="park"', 'marker="ref"', "find() is not overridden"),
        ("order", "incoming.py", r", occurred_at=happened", "", "a late state looks new"),
        ("limits", "connector.py", r"def hosts", "def not_hosts", "hosts() is not overridden"),
        ("limits_learned", "tests/test_NAME_api.py", "RateLimited", "Refused", '"slower"'),
        ("codes", "codes.py", "documentation|page", "x", "no table names its page"),
        ("sandbox", "sandbox.py", r"\(Sandbox\)", "", "no sandbox"),
        ("sandbox", "sandbox.py", r'"token": TOKEN', '"tokn": TOKEN', "names settings that no connector has"),
        ("faults", "tests/test_NAME_api.py", r"Fault|faults|lost_reply|outage", "x", "a fault of the stand-in"),
        ("check", "connector.py", r"def check", "def look", "has no check()"),
        ("drift", "connector.py", r", \"make a new token and put it into `token`\"", "", "without a remedy"),
        ("described", "README.md", r"`api`", "api", "doesn't name api"),
        ("covered", "tests/test_NAME.py", r"order\.created", "order.made", "no test names order.created"),
        ("structure", "outgoing.py", r'^"""The way out.*$', "", "doesn't say what it is for"),
        ("structure", "outgoing.py", r"^from hub.errors", "from hub.store import Store\nfrom hub.errors", "hub.store"),
        ("names", "codes.py", "^", "", "names() is not overridden"),
        ("connect", "codes.py", "^", "", "connect() is not overridden"),
        ("back_fill", "codes.py", "^", "", "polls() is not overridden"),
        ("refresh_once", "codes.py", "^", "", "refresh_once"),
        ("echo", "codes.py", "^", "", "nothing recognises an echo"),
        ("journey", "codes.py", "^", "", "no test_journey"),
        ("outside", "codes.py", "^", "", "marked `outside`"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_hold(judge: Judge, rule: str, file: str, old: str, new: str, words: str) -> None:
    report = judge(file, old, new, **{rule: "done"})
    answer = report.answers[rule]
    assert answer.state == "disproven", answer
    assert words in "; ".join(answer.found)


def test_a_record_that_is_made_may_not_be_repeated_without_a_word(judge: Judge) -> None:
    report = judge(
        "connector.py", r'"api",\n.*uncertain="park"', '"order.create", uncertain="repeat"',
        one_effect="done",
    )  # fmt: skip
    assert report.answers["one_effect"].state == "done", "its note says why"
    report = judge(
        "connector.py", r'"api",\n(.*\n)*?.*note=.*$', '"order.create", uncertain="repeat"', one_effect="done"
    )  # fmt: skip
    assert "order.create is `repeat` when in doubt" in report.answers["one_effect"].found[0]


@pytest.mark.parametrize(
    ("rule", "file", "old", "new"),
    [
        ("settings", "codes.py", "^", ""), ("verification", "codes.py", "^", ""), ("client", "codes.py", "^", ""),
        ("one_effect", "codes.py", "^", ""), ("codes", "codes.py", "^", ""), ("limits", "codes.py", "^", ""),
        ("back_fill", "connector.py", "def limits", "def polls(self):\n        return {}\n\n    def limits"),
        ("connect", "connector.py", "def limits", "def connect(self, url):\n        return []\n\n    def limits"),
        ("refresh_once", "connector.py", "def limits", "def authorize_url(self, s, r): ...\n\n    def limits"),
        ("echo", "connector.py", '"api",', '"order.create",'), ("drift", "codes.py", "^", ""),
        ("described", "codes.py", "^", ""), ("live", "codes.py", "^", ""), ("journey", "codes.py", "^", ""),
    ],
)  # fmt: skip
def test_what_plainly_applies_can_not_be_exempt(judge: Judge, rule: str, file: str, old: str, new: str) -> None:
    report = judge(file, rf"\A{old}" if old == "^" else old, new, **{rule: {"exempt": "we would rather not do it"}})
    assert report.answers[rule].state == "disproven"
    assert report.answers[rule].found[0].startswith("it applies: ")


@pytest.mark.parametrize("words", ["this is not needed by us", "No time for that this year", "will be built later"])
def test_an_excuse_is_no_exemption(judge: Judge, words: str) -> None:
    assert judge(connect={"exempt": words}).answers["connect"].found == (
        "that is no reason why it can't apply; say todo",
    )


@pytest.mark.parametrize("lacking", ["", "check", "find"])
def test_where_settings_choose_a_class_its_choices_are_judged(judge: Judge, lacking: str) -> None:
    """A connector that only chooses needs no check() of its own; each class that connections are made of does."""
    method = {"check": "    def check(self):\n        return self.look()\n", "find": "    find = complete = None\n"}
    has = {name: text for name, text in method.items() if name != lacking}
    chosen = "\n".join(has.values())
    report = judge(
        "connector.py",
        r"class (\w+)\(Connector\)((?:.|\n)*)def check\(((?:.|\n)*)\Z",
        r"class \1(Connector)\2@classmethod\n    def variant(cls, settings):\n        return Small\n\n"
        r"    def look(\3\n\n\n"
        rf"class Small(\1):\n{''.join(method.values())}\n\nclass Large(\1):\n"
        rf"    actions = (ActionKind('order.create', marker='ref'),)\n{chosen}",
        check="done", one_effect="done",
    )  # fmt: skip
    found = [*report.answers["check"].found, *report.answers["one_effect"].found]
    said = {"": [], "check": ["has no check()"], "find": ["order.create has a marker, but find() is not overridden"]}
    assert [words for words in said[lacking] if not any(words in one for one in found)] == []
    assert len(found) == len(said[lacking])


@pytest.mark.parametrize(
    ("test", "state"),
    [
        ("for verb in ('create', 'update'): perform('order.upsert', verb)", "done"),
        ("perform('order.create'); perform('order.update')", "done"),
        ("perform('order.upsert', 'create')", "disproven"), ("perform('order.create')", "disproven"),
    ],
)  # fmt: skip
def test_upsert_is_performed_both_ways(judge: Judge, tmp_path: Path, test: str, state: str) -> None:
    name = "judged_upsert"
    folder = make(name, tmp_path / name).folder
    connector = folder / "connector.py"
    connector.write_text(connector.read_text().replace('"api",', '"order.upsert",'))
    claims = yaml.safe_load((folder / "quality.yaml").read_text())
    (folder / "quality.yaml").write_text(yaml.safe_dump({**claims, "covered": "done"}))
    (folder / "tests" / "test_upsert.py").write_text(test)
    assert judge_connector(load_plugin(folder).hub_connectors()[0]).answers["covered"].state == state


def test_a_word_that_sounds_like_an_echo_is_none(judge: Judge) -> None:
    report = judge("outgoing.py", r"^(from __future__.*)$", r"\1\nwritten = 5", echo="done")
    assert "no Done has `written`, and nothing recognises an echo" in report.answers["echo"].found


def test_without_tests_a_claim_is_taken_at_its_word(judge: Judge, tmp_path: Path) -> None:
    name = "judged_installed"
    folder = make(name, tmp_path / name).folder
    (folder / "tests").rename(tmp_path / "elsewhere")
    claims = yaml.safe_load((folder / "quality.yaml").read_text())
    (folder / "quality.yaml").write_text(yaml.safe_dump({**claims, "samples": "done", "outside": "done"}))
    report = judge_connector(load_plugin(folder).hub_connectors()[0])
    for rule in ("samples", "covered", "outside"):
        assert (report.answers[rule].state, report.answers[rule].seen) == ("done", False)
    assert report.answers["settings"].seen


# --- short forms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("deal.created", {"deal.created"}), ("a|b.{c,d}", {"a.c", "a.d", "b.c", "b.d"}),
        ("parcel.create update delete", {"parcel.create", "parcel.update", "parcel.delete"}), ("api", {"api"}),
        ("lead|deal.set_stage", {"lead.set_stage", "deal.set_stage"}),
    ],
)  # fmt: skip
def test_short_forms_are_spelled_out(code: str, names: set[str]) -> None:
    assert names <= set(spelled_out(code))


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("| `deal.create`, `upsert` | also `contact.` |", {"deal.create", "deal.upsert", "contact.upsert"}),
        ("| `contact.*` (`created`,\n`deleted`) |", {"contact.created", "contact.deleted"}),
        ("| `call.started` `.ended` |", {"call.started", "call.ended"}),
        ("`lead|deal.{created,\n updated}`", {"deal.updated"}), ("see `api` for more", {"api"}),
    ],
)  # fmt: skip
def test_names_on_a_page(page: str, names: set[str]) -> None:
    assert names <= named_in(page)


@pytest.mark.parametrize(
    "page", ["| `deal.create` | x |\n| `find` | y |", "```yaml\ndo: `deal.find`\n```", "deal.find without code"]
)
def test_what_a_page_does_not_name(page: str) -> None:
    assert "deal.find" not in named_in(page)
