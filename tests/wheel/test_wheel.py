"""The wheel, installed in a fresh environment and tried outside of the checkout, as a new user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.tools.readmes import KNOWN, MINE, README, ROOT, blocks, changed

pytestmark = pytest.mark.wheel

Run = Callable[..., subprocess.CompletedProcess[str]]


def checked(*command: str | Path) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and with links to what is installed here, but for this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = sys.executable, "-m", "pip", "--disable-pip-version-check"
    checked(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, ROOT)
    (libraries := folder / "links" / "site-packages").mkdir(parents=True)
    for entry in (entry for path in sys.path if Path(path).name == "site-packages" for entry in Path(path).iterdir()):
        if not re.match(r"_*(editable_impl_)?twingrad|__pycache__|.*\.pth$", entry.name):
            (libraries / entry.name).unlink(missing_ok=True)
            (libraries / entry.name).symlink_to(entry)
    checked(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / "bin" / "python"
    site = sysconfig.get_path("purelib", "venv", {"base": str(folder / "env")})
    Path(site, "links.pth").write_text(f"{libraries}\n", encoding="utf-8")
    # as pip would have written it
    script = f"#!{python}\nimport sys\nimport pytest\n\nsys.exit(pytest.console_main())\n"
    (folder / "env" / "bin" / "pytest").write_text(script, encoding="utf-8")
    (folder / "env" / "bin" / "pytest").chmod(0o755)
    checked(*pip, "--python", python, "install", "--no-deps", "--no-index", *folder.glob("*.whl"))
    return folder / "env"


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Run a command of the environment in an empty folder, with what the README shows as mine.py beside it."""
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(changed(*KNOWN), encoding="utf-8")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))
    }

    def run(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(environment / "bin" / command), *arguments],
            cwd=tmp_path,
            env=environ | {"PATH": f"{environment / 'bin'}{os.pathsep}{environ['PATH']}"} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


def test_the_checkout_is_out_of_sight(run: Run, environment: Path) -> None:
    for module in ("twingrad", "reference", "numpy_impl", "torch_impl", "_twingrad_pytest"):
        found = run("python", "-c", f"import {module}; print({module}.__file__)").stdout.strip()
        assert Path(found).is_relative_to(environment), module
    assert run("python", "-c", "import tests").returncode == 1


def test_the_import_is_light(run: Run) -> None:
    ended = run("python", "-c", "import sys, twingrad; print({'torch', 'pytest', 'rich.progress'} & set(sys.modules))")
    assert ended.stdout == "set()\n", ended.stderr


def test_the_steps_of_the_readme(run: Run, tmp_path: Path) -> None:
    """Each command that it shows for mine.py, and the tests of one's own."""
    section = README.split("## Your own implementation")[1].split("### A model of your own")[0]
    every = [line.split("    #")[0] for block in blocks(section, "") for line in block.splitlines()]
    commands = [line.removeprefix(".venv/bin/").split() for line in every if line.startswith(".venv/bin/")]
    assert [command[:2] for command in commands if command[1] == "vectors"] == [["twingrad", "vectors"]]
    own = [command for command in commands if command[1] != "vectors"]  # that one's program is in the checkout
    assert [command[0] for command in own] == ["twingrad", "twingrad", "pytest"]
    for command in own:
        ended = run(*command)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    (tests,) = (block for block in blocks(section, "python") if "import twingrad" in block)
    (tmp_path / "test_readme.py").write_text(tests, encoding="utf-8")
    ended = run("pytest", "-q")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"\d passed, \d+ skipped", ended.stdout)


def test_what_is_wrong_is_named(run: Run) -> None:
    ended = run("twingrad", "verify", "classifier-dialogue", "--candidate", "wrong.py")
    assert ended.returncode == 1
    assert "mistake duplicates-overwritten explains" in ended.stdout


def test_a_project_with_pytest(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n', "utf-8")
    cases = "--twingrad-cases=classifier-*-sgd-dense*"
    ended = run("pytest", "--twingrad=mine.py", cases, "--twingrad-exclude=text", "-n", "2", "--junitxml=junit.xml")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"cases would notice \d+ of \d+ known mistakes", ended.stdout)
    assert len(list(ElementTree.parse(tmp_path / "junit.xml").iter("testcase"))) > 15
    assert run("pytest", "--twingrad=wrong.py", cases).returncode == 1
    (tmp_path / "test_mine.py").write_text(
        "import twingrad\n\n@twingrad.parametrize('wrong.py', 'classifier-dialogue-sgd-dense*')\n"
        "def test_mine(case_check):\n    case_check()\n",
        encoding="utf-8",
    )
    ended = run("pytest", "-n", "2")
    assert (ended.returncode, "look for  table_grad[ids] = d" in ended.stdout) == (1, True)
    assert "reference/" not in ended.stdout.split("FAILURES")[1].split("short test summary")[0]  # no traceback of ours


def test_a_project_with_unittest(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_unit.py").write_text(
        "import unittest\nimport twingrad\n\nclass Mine(unittest.TestCase):\n"
        "    def test_mine(self):\n"
        "        twingrad.check('mine.py', 'classifier-dialogue-sgd-dense*').raise_if_wrong()\n"
        "    def test_wrong(self):\n"
        "        twingrad.check('wrong.py', 'classifier-dialogue-sgd-dense*').raise_if_wrong()\n",
        encoding="utf-8",
    )
    ended = run("python", "-m", "unittest", "-v")
    assert "test_mine (test_unit.Mine.test_mine) ... ok" in ended.stderr
    assert "test_wrong (test_unit.Mine.test_wrong) ... FAIL" in ended.stderr
    assert "AssertionError: wrong.py: disagree\n" in ended.stderr


WRONG_INPUT = {
    "no such file": ("twingrad verify --candidate nope.py", 2, "there is no such file"),
    "no such module": ("twingrad verify --candidate nope", 2, "there is no such module"),
    "no such case": ("twingrad verify nothing --candidate mine.py", 2, "no case matches 'nothing'"),
    "no case is left": ("twingrad verify linear --exclude linear", 2, "no case is left"),
    "an unknown option": ("twingrad verify --nothing", 2, "unrecognized arguments: --nothing"),
    "nothing covered": ("twingrad verify linear-one --candidate mine.py", 5, ""),
    "no such file in pytest": ("pytest --twingrad=nope.py", 4, "there is no such file"),
    "no such case in pytest": ("pytest --twingrad=mine.py --twingrad-cases=nothing", 4, "no case matches 'nothing'"),
    "an option alone": ("pytest --twingrad-cases=linear", 4, "--twingrad-cases: needs --twingrad"),
    "nothing covered in pytest": ("pytest --twingrad=mine.py --twingrad-cases=linear-one", 5, ""),
    "the old option": ("pytest --candidate=mine.py", 4, "unrecognized arguments: --candidate"),
}


@pytest.mark.parametrize(("command", "code", "says"), WRONG_INPUT.values(), ids=WRONG_INPUT)
def test_wrong_input(run: Run, command: str, code: int, says: str) -> None:
    ended = run(*command.split())
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["reference", "numpy_impl", "torch_impl"])
def test_a_package_of_ones_own_with_the_name_of_ours(run: Run, tmp_path: Path, name: str) -> None:
    """It is told by its path, wherever it would hide ours, or ours it."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    for command, variables in (
        (["python", "-c", "import twingrad"], {}),
        (["twingrad", "verify", "linear-one"], {"PYTHONPATH": "."}),
        (["twingrad", "verify", "linear-one", "--candidate", "mine.py"], {}),
        (["python", "-m", "pytest", "--twingrad=mine.py"], {}),
        (["pytest", "--twingrad=mine.py"], {}),
    ):
        ended = run(*command, **variables)
        assert ended.returncode != 0, command
        assert str(tmp_path / name) in ended.stderr, command
        assert "must be renamed" in ended.stderr, command
    own = f"import {name}\n\ndef test_own(): assert {name}.__path__\n"
    (tmp_path / "test_own.py").write_text(own, encoding="utf-8")
    assert run("python", "-m", "pytest").returncode == 0


TYPED = """
import twingrad
from twingrad import RowGrad, Unsupported, cases


class Trainer:
    def __init__(self, case: cases.Case, weights: twingrad.Params) -> None:
        self.weights = weights

    def loss_and_grads(self, batch: cases.LookupBatch) -> tuple[float, twingrad.Grads]:
        table = self.weights["embedding.weight"]
        return 0.0, {"embedding.weight": RowGrad(batch.ids, table[batch.ids], (3, 2))}


def build(case: cases.Case, weights: twingrad.Params) -> Trainer:
    if not isinstance(case.model, cases.Embedding):
        raise Unsupported("only a lookup")
    return Trainer(case, weights)


report: twingrad.Report = twingrad.check("mine.py", "classifier*", exclude=["text"], tolerance={"grads": 200})
report.raise_if_wrong()


@twingrad.parametrize("mine.py", "skipgram*")
def test_mine(case_check: twingrad.CaseCheck) -> None:
    case_check()
"""


def test_types(run: Run, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED, encoding="utf-8")
    (tmp_path / "module.py").write_text("import twingrad\nimport typed\n\ntwingrad.check(typed)\n", encoding="utf-8")
    ended = run("python", "-m", "mypy", "--strict", "typed.py", "module.py")
    assert ended.returncode == 0, ended.stdout
    (tmp_path / "typed.py").write_text(TYPED + "\nreport.outcom\ntwingrad.check(patterns=3)\n", encoding="utf-8")
    assert "Found 2 errors" in run("python", "-m", "mypy", "--strict", "typed.py").stdout


NOTEBOOK = """
import nbclient, nbformat
source = "import twingrad\\ntwingrad.check('wrong.py', 'classifier-dialogue-sgd-dense*')"
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
nbclient.NotebookClient(notebook, timeout=120).execute()
(shown,) = [output for output in notebook.cells[0].outputs if output.output_type == "execute_result"]
print(shown["data"]["text/html"])
"""


def test_a_notebook_shows_a_table(run: Run) -> None:
    ended = run("python", "-c", NOTEBOOK)
    assert ended.returncode == 0, ended.stderr
    assert "<td>classifier-dialogue-sgd-dense-f64</td>" in ended.stdout
    assert '<td class="red">disagree</td>' in ended.stdout
    assert "duplicates-overwritten" in ended.stdout


def test_the_action_runs_what_there_is(run: Run, tmp_path: Path) -> None:
    """Its last step, with the inputs that it hands over as variables."""
    if not shutil.which("bash"):
        pytest.skip("no bash on this system")
    action = (ROOT / ".github/actions/verify/action.yml").read_text(encoding="utf-8")
    script = re.findall(r"run: \|\n((?: {8}.*\n)+)", action)[-1].replace("\n        ", "\n").strip()
    (tmp_path / "script.sh").write_text(script, encoding="utf-8")
    (tmp_path / "summary.md").touch()
    given = {"CANDIDATE": "wrong.py", "CASES": "classifier-dialogue-sgd-dense* classifier-one*", "EXPECTED": ""}
    given |= {"GITHUB_STEP_SUMMARY": "summary.md", "JUNITXML": "junit.xml"}
    start = "import subprocess, sys; sys.exit(subprocess.call(['bash', '-e', 'script.sh']))"
    ended = run("python", "-c", start, **given)
    assert ended.returncode == 1, ended.stderr
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("### wrong.py: disagree")
    assert (tmp_path / "junit.xml").is_file()
