"""From an experiment's file to a gin configuration, and what each mistake on the way is told as."""

import difflib
import re
import string
import subprocess
import sys
import textwrap
from pathlib import Path

import gin
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from planting import plant, uproot

from garden.core import catalog
from garden.core.errors import UserError
from garden.engine import config as config_lib
from garden.engine import experiments

ROOT = 'nursery.experiment'
FUZZ = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
BASE = """
nursery.experiment.phases = [@nursery.phase()]
nursery.phase.task = @tasks.growing
nursery.phase.steps = 10
tasks.growing.model = @models.fern()
tasks.growing.optimizer = @optimizers.grower()
tasks.growing.train_data = @dataloaders.seeds()
tasks.growing.eval_data = @dataloaders.seeds()
models.fern.width = 3
dataloaders.seeds.size = 4
"""


def forget():
    for cached in (catalog.scan, catalog._modules, experiments.roots):
        cached.cache_clear()


@pytest.fixture(scope='module', autouse=True)
def nursery(tmp_path_factory):
    """A package outside Garden, installed with its entry points."""
    folder = tmp_path_factory.mktemp('site')
    plant(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        forget()
        yield folder
    uproot()
    forget()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, text, name='mine.gin'):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return str(path)


def load(experiment, *overrides):
    return config_lib.load(str(experiment), overrides, root=ROOT)


def mistake(folder, text, *overrides):
    """Returns the one line that a configuration is refused with."""
    with pytest.raises(UserError) as error:
        load(write(folder, text), *overrides)
    message = str(error.value)
    assert '\n' not in message
    return message


def run():
    """Does what the engine does: calls the root, which builds the tasks."""
    return gin.get_configurable(ROOT)(runtime=None)


# What a configuration is.


def test_an_experiment_is_loaded_by_name_with_its_includes():
    config = load('tall_fern')
    assert config.name == 'tall_fern'
    assert [path.name for path in config.files] == ['tall_fern.gin', 'soil.gin']
    assert config.header.fields['Target'] == 'height >= 2'
    (task,) = run()
    assert task.model.width == 3
    assert task.optimizer.learning_rate == 0.25


def test_the_last_binding_counts_and_overrides_come_last(folder):
    path = write(folder, f'{BASE}\nmodels.fern.width = 5\nfern.width = 6\n')
    assert load(path).get('models.fern.width') == 6
    config = load(path, 'models.fern.width = 7', 'fern.width=8')
    assert config.get('fern.width') == 8
    assert config.provenance['models.fern.width'] == "--gin 'fern.width=8'"
    assert config.provenance['dataloaders.seeds.size'] == 'mine.gin:10'


def test_a_message_about_a_setting_is_given_its_place(folder):
    path = write(folder, f'{BASE}\nwide = 5\nmodels.fern.width = %wide\n')
    config = load(path)
    error = ValueError(
        "no\n  In call to configurable 'fern' (<class>)"
        "\n  In call to configurable 'experiment' (<function>)"
    )
    place = re.search(r'mine.gin:\d+', config.provenance['wide'])[0]
    assert config.places('The width 5 is too much.', error) == f' (width comes from {place})'
    assert config.places('The size 5 is too much.', error) == ''


def test_macros_are_looked_through_and_references_are_told():
    config = load('tall_fern')
    assert config.get('fast/optimizers.grower.learning_rate') == 0.25
    assert config.get('LEARNING_RATE') == 0.25
    assert repr(config.get('tasks.growing.model')) == '@models.fern()'
    assert config.get('models.fern.bias', 'nothing') == 'nothing'


def test_the_resolved_text_is_self_contained_and_in_full():
    assert load('tall_fern', 'nursery.phase.steps = 20').text == textwrap.dedent("""\
        # A fern that grows tall.
        #
        # Command: python launch.py --experiment=tall_fern
        # Expected: height 2 m
        # Target: height >= 2
        # Offline: yes
        # Name: tall_fern

        import nursery.data
        import nursery.engine
        import nursery.models
        import nursery.optimizers
        import nursery.tasks

        LEARNING_RATE = 0.25

        dataloaders.seeds.size = 4
        train/dataloaders.seeds.shuffle = True
        models.fern.width = 3
        nursery.experiment.phases = [@nursery.phase()]
        nursery.phase.steps = 20
        nursery.phase.task = @tasks.growing
        fast/optimizers.grower.learning_rate = %LEARNING_RATE
        tasks.growing.eval_data = @eval/dataloaders.seeds()
        tasks.growing.model = @models.fern()
        tasks.growing.optimizer = @fast/optimizers.grower()
        tasks.growing.train_data = @train/dataloaders.seeds()
        """)


def test_the_resolved_text_launches_by_itself_and_says_the_same(folder):
    first = load('tall_fern', "nursery.phase.targets = ['a', 'b']", 'SEED = 3')
    again = load(write(folder, first.text, 'config.gin'))
    assert again.text == first.text
    assert again.name == 'tall_fern'
    assert run()[0].model.width == 3


def test_gin_holds_what_the_text_says():
    text = load('tall_fern').text
    assert gin.config_is_locked()
    held = dict(gin.config._CONFIG)
    gin.clear_config()
    gin.parse_config(text)
    assert held == gin.config._CONFIG


literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.lists(inner, max_size=8).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=8)
    ),
    max_leaves=30,
)


@given(value=literals)
@FUZZ
def test_any_literal_comes_through_the_resolved_text_unchanged(tmp_path, value):
    from garden.engine import config_text

    written = config_text.formatted(value)
    config = load(write(tmp_path, f'{BASE}\nmodels.fern.extra = {written}\n'))
    again = load(write(tmp_path, config.text, 'config.gin'))
    assert again.text == config.text
    assert again.get('models.fern.extra') == value
    assert type(again.get('models.fern.extra')) is type(value)
    assert run()[0].model.extra == value
    gin.clear_config()


def test_a_file_that_is_included_twice_counts_once(folder):
    write(folder, 'models.moss.width = 1\n', 'base/common.gin')
    write(folder, "include 'common.gin'\nmodels.moss.width = 2\n", 'base/left.gin')
    write(folder, "include 'common.gin'\n", 'base/right.gin')
    path = write(folder, f"include 'base/left.gin'\ninclude 'base/right.gin'\n{BASE}")
    assert load(path).get('models.moss.width') == 2


def test_includes_are_found_from_the_roots_and_beside_the_file(folder):
    write(folder, 'models.moss.width = 2\n', 'base/soil.gin')
    path = write(folder, f"include 'base/soil.gin'\n{BASE}")
    assert load(path).files[1].parts[-3:] == ('plots', 'base', 'soil.gin')
    path = write(folder, f"include './base/soil.gin'\n{BASE}")
    assert load(path).files[1] == folder / 'base/soil.gin'


def test_an_override_may_include_and_import(folder):
    write(folder, 'models.moss.width = 2\n', 'extra.gin')
    config = load('tall_fern', "include 'extra.gin'", 'import string')
    assert config.get('moss.width') == 2
    assert 'import string\n' in config.text


def test_loading_again_starts_afresh(folder):
    load('tall_fern', 'models.moss.width = 2')
    load('tall_fern')
    assert 'moss' not in gin.config_str()


def test_only_the_modules_that_are_used_are_imported():
    sys.modules.pop('nursery.broken', None)
    load('tall_fern')
    assert 'nursery.broken' not in sys.modules
    with pytest.raises(RuntimeError, match='must not import it'):
        load('tall_fern', 'models.thistle.spikes = 2')


def test_a_reference_that_is_overridden_needs_no_import(folder):
    path = write(folder, f'{BASE}\ngrowing.model = @models.thistle()\ngrowing.model = @fern()\n')
    load(path)
    assert 'nursery.broken' not in sys.modules


def test_a_mistake_is_told_before_anything_is_imported(folder):
    path = write(folder, BASE.replace('fern.width', 'fern.with'))
    script = f"""
        import sys
        from garden.core.errors import UserError
        from garden.engine import config
        try:
            config.load({path!r}, root={ROOT!r})
        except UserError as error:
            print(error)
        print([m for m in sys.modules if m.startswith(('nursery', 'tensorflow'))])
        """
    lines = python(script).splitlines()
    assert lines[0] == "mine.gin:9: models.fern has no parameter 'with'. Did you mean width?"
    assert lines[1] == '[]'


def python(script, **environment):
    """Runs a script in another process that sees the same packages, and returns what it prints."""
    path = [p for p in sys.path if Path(p, 'nursery-1.0.dist-info').exists()]
    checkout = str(Path(config_lib.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={'PYTHONPATH': ':'.join((checkout, *path)), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Mistakes. Each is (what is added to a right configuration, what is said after 'mine.gin:11: ').

MISTAKES = {
    'unknown configurable': (
        'models.fren.width = 3',
        'models.fren.width: nothing is registered as models.fren. Did you mean models.fern?',
    ),
    'unknown configurable, short': (
        'frn.width = 3',
        'frn.width: nothing is registered as frn. Did you mean fern?',
    ),
    'unknown kind': (
        'model.moss.width = 3',
        'model.moss.width: nothing is registered as model.moss. Did you mean models.moss?',
    ),
    'unknown and not near to any': (
        'zzz.qqq.x = 3',
        'zzz.qqq.x: nothing is registered as zzz.qqq. '
        'If it is from another package, import its module above: import <package>.<module>',
    ),
    'unknown block': (
        'models.fren:\n  width = 3',
        'models.fren.width: nothing is registered as models.fren. Did you mean models.fern?',
    ),
    'unknown parameter': (
        'models.fern.widht = 3',
        "models.fern has no parameter 'widht'. Did you mean width, weights?",
    ),
    'unknown parameter, not near to any': (
        'models.fern.qqq = 3',
        "models.fern has no parameter 'qqq'. It takes width, activation, weights, bias, extra.",
    ),
    'a parameter that is not for gin': (
        'nursery.experiment.runtime = 3',
        "nursery.experiment has no parameter 'runtime'. It takes phases, seed.",
    ),
    'no parameter': (
        'models.fern = 3',
        'models.fern is a name, and values are bound to parameters: '
        'write models.fern.<parameter> = ... It takes width, activation, weights, bias, extra.',
    ),
    'unknown reference': (
        'tasks.growing.model = @models.mos()',
        '@models.mos(): nothing is registered as models.mos. Did you mean models.moss?',
    ),
    'undefined macro': (
        'WIDTH = 4\nmodels.fern.width = %WITH',
        'the macro %WITH is not defined. Did you mean WIDTH?',
    ),
    'macro of itself': (
        'LEFT = %RIGHT\nRIGHT = %LEFT',
        'the macro %RIGHT is defined by itself.',
    ),
    'still to be set': (
        'models.fern.width = %gin.REQUIRED',
        'models.fern.width is still to be set: bind it in the experiment, '
        "or give --gin='models.fern.width=...'.",
    ),
    'unquoted string': (
        'models.fern.activation = relu',
        "relu is no value. Did you mean the text 'relu', the registered name @relu, "
        'or the macro %relu?',
    ),
    'true': ('models.fern.bias = true', 'true is no value. Did you mean True?'),
    'unquoted string after a number': (
        'nursery.phase.name = 400mf',
        "'nursery.phase.name = 400mf' goes on after its value: "
        'quote text, and write one binding a line.',
    ),
    'no equals sign': (
        'models.fern.width 3',
        "'models.fern.width 3' is no binding: write name.parameter = value.",
    ),
    'no value': ('models.fern.width =', "'models.fern.width =' lacks its value after the '='."),
    'no closing quotation mark': (
        "nursery.phase.name = 'x",
        "'nursery.phase.name = 'x' lacks the quotation mark that ends its text.",
    ),
    'no closing bracket': (
        'nursery.phase.sizes = (1,\n  2',
        'a bracket or a quotation mark is not closed.',
    ),
    'list as a key': (
        'models.fern.extra = {[1]: 2}',
        "unhashable type: 'list' (a key of a dict).",
    ),
    'dynamic registration': (
        'from __gin__ import dynamic_registration',
        'dynamic registration is not used here: register the class with @register, '
        'import its module and bind it by its registered name.',
    ),
    'include below a binding': (
        "include 'base/soil.gin'",
        "include 'base/soil.gin' stands below a binding, which it could overwrite. "
        'Move it to the top of the file.',
    ),
    'module that does not exist': (
        'import nursery.modells',
        'there is no module nursery.modells. Did you mean nursery.models?',
    ),
    'text for a number': (
        "nursery.phase.steps = 'ten'",
        "nursery.phase.steps takes int, not 'ten'.",
    ),
    'quoted number': (
        "nursery.phase.ratio = '1e-3'",
        "nursery.phase.ratio takes float, not '1e-3'. Did you mean 0.001?",
    ),
    'float for an int': (
        'nursery.phase.steps = 1e3',
        'nursery.phase.steps takes int, not 1000.0. Did you mean 1000?',
    ),
    'bool for an int': ('nursery.phase.steps = True', 'nursery.phase.steps takes int, not True.'),
    'int for a bool': (
        'models.fern.bias = 1',
        'models.fern.bias takes bool, not 1. Did you mean True?',
    ),
    'wrong member of a union': (
        'nursery.phase.best = 3',
        "nursery.phase.best takes str | None, not 3. Did you mean '3'?",
    ),
    'wrong literal': (
        "models.fern.activation = 'sigmoid'",
        "models.fern.activation takes Literal['relu', 'swish'], not 'sigmoid'.",
    ),
    'text for a sequence': (
        "nursery.phase.targets = ('height >= 2')",
        "nursery.phase.targets takes Sequence[str], not 'height >= 2'. "
        "Did you mean ('height >= 2',)?",
    ),
    'wrong element': (
        "nursery.phase.targets = ['a', 3]",
        "nursery.phase.targets takes Sequence[str], not ['a', 3].",
    ),
    'wrong length': (
        'nursery.phase.sizes = (1, 2, 3)',
        'nursery.phase.sizes takes tuple[int, int], not (1, 2, 3).',
    ),
    'wrong element of an element': (
        "nursery.phase.warm_start = [('a', 3)]",
        "nursery.phase.warm_start takes Sequence[tuple[str, str]], not [('a', 3)].",
    ),
    'wrong value of a mapping': (
        "models.fern.weights = {'a': 'b'}",
        "models.fern.weights takes Mapping[str, float] | None, not {'a': 'b'}.",
    ),
    'wrong type through a macro': (
        "WIDTH = 'wide'\nmodels.fern.width = %WIDTH",
        "models.fern.width takes int, not 'wide' (%WIDTH of mine.gin:11).",
    ),
    'text for an object': (
        "tasks.growing.model = 'fern'",
        "tasks.growing.model takes Fern, not 'fern'. Did you mean @models.fern()?",
    ),
    'class for an object': (
        'tasks.growing.model = @models.fern',
        'tasks.growing.model takes Fern, not @models.fern. Did you mean @models.fern()?',
    ),
    'object for a function': (
        'nursery.phase.task = @tasks.growing()',
        'nursery.phase.task takes Callable[[], object], not @tasks.growing(). '
        'Did you mean @tasks.growing?',
    ),
}


def assert_says(message, said):
    """Compares two messages; of suggestions, more may come to be made as more names are known."""
    said, _, suggestion = said.partition(' Did you mean ')
    message, _, suggestions = message.partition(' Did you mean ')
    assert message == said
    assert suggestions.startswith(suggestion.rstrip('?'))
    assert suggestions.endswith('?') == bool(suggestion)


@pytest.mark.parametrize(('added', 'said'), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_one_line_with_its_place(folder, added, said):
    message = mistake(folder, BASE + added)
    place, _, rest = message.partition(': ')
    assert_says(rest, said)
    # Where the text that is wrong stands; the macro's line is not it.
    assert re.fullmatch(r'mine\.gin:1[12]', place)
    lines = (folder / 'mine.gin').read_text().splitlines()
    assert lines[int(place.split(':')[1]) - 1].strip() in added


@pytest.mark.parametrize(
    ('added', 'said'),
    [pair for pair in MISTAKES.values() if '\n' not in pair[0] and 'below' not in pair[1]],
)
def test_a_mistake_in_an_override_is_told_with_its_text(folder, added, said):
    assert_says(mistake(folder, BASE, added), f"--gin '{added}': {said}")


def test_the_line_of_a_reference_in_a_long_value_is_its_own(folder):
    text = f'{BASE}nursery.experiment.phases = [\n    @nursery.phase(),\n    @nursery.phse(),\n]\n'
    assert mistake(folder, text).startswith('mine.gin:13: @nursery.phse(): nothing is registered')


def test_an_ambiguous_name_is_told_with_what_it_may_be(nursery, folder):
    path = nursery / 'nursery' / 'twins.py'
    path.write_text("from garden import register\n\n\n@register('tasks', 'fern')\nclass F: pass\n")
    forget()
    try:
        message = mistake(folder, f'{BASE}\nfern.width = 3\n')
    finally:
        path.unlink()
        forget()
    assert message == (
        'mine.gin:12: fern.width: fern may be models.fern or tasks.fern: write the one you mean.'
    )


def test_a_missing_include_is_told_with_where_it_was_looked_for(folder):
    message = mistake(folder, "include 'base/soul.gin'\n")
    assert message.startswith("mine.gin:1: include 'base/soul.gin': there is no such file in ")
    assert 'plots/' in message
    assert 'Did you mean base/soil.gin' in message


def test_an_include_that_leads_back_is_told(folder):
    write(folder, "include 'two.gin'\n", 'one.gin')
    write(folder, "include 'one.gin'\n", 'two.gin')
    message = mistake(folder, "include 'one.gin'\n")
    assert message == 'two.gin:1: this include leads back to itself: one.gin -> two.gin -> one.gin.'


def test_a_module_whose_package_is_missing_is_told_apart(nursery, folder):
    (nursery / 'needy.py').write_text('import no_such_package\n')
    message = mistake(folder, f'import needy\n{BASE}')
    assert message == (
        'mine.gin:1: needy needs the package no_such_package, which is not installed.'
    )


def test_a_name_that_another_package_takes_is_told_with_both_places(nursery, folder):
    text = "from garden import register\n\n@register('models', 'ivy')\nclass Ivy: pass\n"
    (nursery / 'greedy.py').write_text(text)
    place = nursery / 'nursery' / 'climbers.py'
    place.write_text(text)
    forget()
    try:
        message = mistake(folder, f'import greedy\n{BASE}growing.model = @ivy()\n')
    finally:
        place.unlink()
        forget()
    assert message == (
        f'models.ivy is registered twice: by greedy and at {place}:3. Rename one of them.'
    )


def test_constants_of_python_may_stand_for_any_type(folder):
    gin.constant('nursery.ACTIVATION', 'relu')
    path = write(folder, f'{BASE}models.fern.activation = %ACTIVATION\n')
    assert '%ACTIVATION' in load(path).text


# What must be given and is not.


def test_a_value_that_is_missing_is_told_where_the_call_stands(folder):
    text = BASE.replace('models.fern.width = 3\n', '')
    assert mistake(folder, text) == (
        'mine.gin:5: @models.fern() needs a value for models.fern.width: bind it.'
    )


def test_a_value_that_is_bound_in_another_scope_only_is_told(folder):
    text = BASE.replace('@dataloaders.seeds()', '@train/dataloaders.seeds()', 1).replace(
        'dataloaders.seeds.size = 4', 'trian/dataloaders.seeds.size = 4'
    )
    assert mistake(folder, text) == (
        'mine.gin:7: @train/dataloaders.seeds() needs a value for train/dataloaders.seeds.size: '
        'bind it. It is bound in another scope: trian/dataloaders.seeds.size.'
    )


def test_a_factory_that_is_called_with_nothing_must_have_all_it_needs(folder):
    text = BASE.replace('tasks.growing.optimizer = @optimizers.grower()\n', '')
    assert mistake(folder, text) == (
        'mine.gin:3: @tasks.growing needs a value for tasks.growing.optimizer: bind it.'
    )


def test_what_the_root_needs_is_told_with_the_file(folder):
    assert mistake(folder, 'models.fern.width = 3\n') == (
        'mine.gin: @nursery.experiment() needs a value for nursery.experiment.phases: bind it.'
    )


def test_scopes_are_inherited_as_gin_does(folder):
    """A reference without a scope is made in its user's, and outer scopes hold in inner ones."""
    text = BASE.replace('[@nursery.phase()]', '[@a/b/nursery.phase()]')
    right = text.replace('nursery.phase.steps', 'a/nursery.phase.steps')
    assert load(write(folder, right)).get('a/nursery.phase.steps') == 10
    run()
    wrong = mistake(folder, text.replace('nursery.phase.steps', 'a/b/c/nursery.phase.steps'))
    assert '@a/b/nursery.phase() needs a value for a/b/nursery.phase.steps' in wrong


# Typos, made at random.


def edits(word):
    """Makes one edit: a letter left out, put in, changed or swapped with the next."""

    @st.composite
    def edit(draw):
        at = draw(st.integers(0, len(word) - 1))
        letter = draw(st.sampled_from(string.ascii_lowercase))
        return draw(
            st.sampled_from(
                [
                    word[:at] + word[at + 1 :],
                    word[:at] + letter + word[at:],
                    word[:at] + letter + word[at + 1 :],
                    word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
                ]
            )
        )

    return edit()


def registered():
    return sorted(
        name
        for name, entry in catalog.scan().items()
        if entry.kind in catalog.KINDS and len(entry.name) >= 4
    )


def nearer_than(right, typo, known, prefix=''):
    """Counts the other names that are as near to the typo: no more than three are suggested."""

    def ratio(word):
        return difflib.SequenceMatcher(None, typo, word).ratio()

    words = {name.removeprefix(prefix) for name in known if name.startswith(prefix)} - {right}
    return sum(ratio(word) >= ratio(right) for word in words)


@given(data=st.data())
@FUZZ
def test_a_typo_in_any_registered_name_is_refused_with_the_right_suggestion(tmp_path, data):
    name = data.draw(st.sampled_from(registered()))
    kind, _, last = name.partition('.')
    typo = data.draw(edits(last))
    assume(typo.isidentifier() and f'{kind}.{typo}' not in catalog.scan())
    assume(nearer_than(last, typo, catalog.scan(), prefix=f'{kind}.') < 3)
    for added in (f'{kind}.{typo}.x = 3', f'tasks.growing.model = @{kind}.{typo}()'):
        message = mistake(tmp_path, BASE + added)
        assert f'nothing is registered as {kind}.{typo}.' in message
        assert re.search(rf'Did you mean .*\b{re.escape(name)}\b', message)


@given(data=st.data())
@FUZZ
def test_a_typo_in_any_parameter_is_refused_with_the_right_suggestion(tmp_path, data):
    pairs = [
        (name, p.name)
        for name in registered()
        for p in catalog.scan()[name].parameters or ()
        if len(p.name) >= 4
    ]
    name, parameter = data.draw(st.sampled_from(pairs))
    typo = data.draw(edits(parameter))
    known = {p.name for p in catalog.scan()[name].parameters}
    assume(typo.isidentifier() and typo not in known)
    assume(nearer_than(parameter, typo, known) < 3)
    message = mistake(tmp_path, f'{BASE}{name}.{typo} = 3')
    assert f'{name} has no parameter {typo!r}.' in message
    assert re.search(rf'Did you mean .*\b{parameter}\b', message)


# After the tasks are built.


def test_bindings_that_nothing_used_are_reported_with_their_place(folder):
    path = write(folder, f'{BASE}models.moss.width = 2\nUNUSED = 3\n')
    config = load(path)
    run()
    assert config.unused() == [
        'mine.gin:11: models.moss.width: nothing reads this setting. '
        'Did you mean models.fern.width?',
        'mine.gin:12: UNUSED: nothing reads this setting.',
    ]
    assert 'models.moss' not in config.operative()
    assert 'seeds.shuffle = False' in config.operative()


def test_a_typo_in_a_scope_is_reported():
    config = load('tall_fern', 'fsat/optimizers.grower.decay = 0.5')
    run()
    assert config.unused() == [
        "--gin 'fsat/optimizers.grower.decay = 0.5': fsat/optimizers.grower.decay: nothing reads "
        'this setting. Did you mean fast/optimizers.grower.decay?'
    ]


def test_a_macro_that_nothing_reads_may_have_meant_a_parameter_or_another_macro():
    config = load('tall_fern', 'shuffle = False', 'LEARNIG_RATE = 2')
    run()
    parameter, macro = config.unused()
    shuffles = 'eval/dataloaders.seeds.shuffle, train/dataloaders.seeds.shuffle'
    assert parameter.endswith(f'Did you mean {shuffles}?'), parameter
    assert macro.endswith('Did you mean LEARNING_RATE?'), macro


def test_nothing_is_reported_of_a_configuration_that_is_all_used():
    config = load('tall_fern')
    run()
    assert config.unused() == []


def test_differences_are_told_a_line_for_each_binding():
    old = load('tall_fern', 'models.moss.width = 2').text
    new = load('tall_fern', 'models.fern.width = 5', 'models.fern.bias = False').text
    assert config_lib.difference(old, old) == []
    assert config_lib.difference(old, new) == [
        'models.fern.bias: (not set) -> False',
        'models.fern.width: 3 -> 5',
        'models.moss.width: 2 -> (not set)',
    ]


def test_an_error_in_a_constructor_is_told_in_one_line_cause_first():
    load('tall_fern', 'models.fern.width = -1')
    with pytest.raises(ValueError, match='negative') as error:
        run()
    assert config_lib.explain(error.value) == (
        'ValueError: a width of -1 is negative (while making fern, experiment)'
    )


def test_a_users_mistake_found_in_a_constructor_keeps_its_own_words():
    @gin.register('picky', module='nursery')
    def picky():
        raise UserError('This cannot be. Do that.')

    @gin.register('outer', module='nursery')
    def outer(inner=None):
        return inner

    gin.parse_config('outer.inner = @scope/picky()')
    with pytest.raises(UserError) as error:
        gin.get_configurable('outer')()
    assert config_lib.explain(error.value) == (
        'This cannot be. Do that. (while making scope/picky)'
    )
    assert config_lib.explain(ValueError('plain\nand more')) == 'ValueError: plain'
    assert config_lib.explain(UserError('plain')) == 'plain'


# Systems and experiments of another package.

REPORT = """
    import sys
    from garden.engine import config
    loaded = config.load({experiment!r}, root='nursery.experiment')
    import gin
    print(loaded.name, gin.get_configurable('nursery.experiment')(runtime=None)[0].model.width)
    print(sorted(m for m in sys.modules if m.startswith('nursery.')))
    print('tensorflow' in sys.modules)
    """


def test_a_package_with_entry_points_is_found_listed_and_run():
    lines = python(REPORT.format(experiment='tall_fern')).splitlines()
    assert lines[0] == 'tall_fern 3'
    assert 'nursery.broken' not in lines[1]
    assert lines[2] == 'False'
    listed = python('from garden.cli.launch import main; main(["--list", "tall*"])')
    assert re.search(r'ferns\n +tall_fern +offline +A fern that grows tall\. +height >= 2', listed)


def test_a_package_without_entry_points_needs_an_import_line_only(tmp_path):
    plant(tmp_path / 'other', entry_points='')
    lines = '\n'.join(f'import nursery.{m}' for m in ('engine', 'tasks'))
    path = write(tmp_path, f'{lines}\n{BASE}')
    script = f'import sys; sys.path.insert(0, {str(tmp_path / "other")!r})\n'
    environment = {'PYTHONPATH': str(Path(config_lib.__file__).parents[2])}
    script += textwrap.dedent(REPORT.format(experiment=path))
    assert python(script, **environment).splitlines()[0] == 'mine 3'
    text = (tmp_path / 'mine.gin').read_text()
    write(tmp_path, text.replace('models.fern.width', 'models.fen.width'))
    failing = script.replace('loaded = ', 'loaded = None\n').replace(
        'config.load', 'from garden.core.errors import UserError\ntry: config.load'
    )
    failing = failing.split('import gin')[0] + 'except UserError as error: print(error)\n'
    assert 'mine.gin:11: models.fen.width: nothing is registered as models.fen. Did you mean ' in (
        python(failing, **environment)
    )


# Garden's own names.


def test_the_annotations_of_keras_code_are_checked(folder):
    path = write(
        folder,
        """
        garden.experiment.phases = [@garden.phase()]
        garden.phase.task = @tasks.image_classification
        garden.phase.train_steps = 50
        tasks.image_classification:
          model = @models.regnety
          optimizer = @optimizers.sgd()
          train_data = @dataloaders.seeds()
          eval_data = @dataloaders.seeds()
        dataloaders.seeds.size = 3
        """,
    )
    with pytest.raises(UserError, match=r'takes Model, not @models\.regnety\. Did you mean .*\(\)'):
        config_lib.load(path)
    right = 'tasks.image_classification.model = @models.regnety()'
    assert config_lib.load(path, [right]).get('phase.train_steps') == 50
    with pytest.raises(UserError, match=r'optimizers\.sgd\.momentum takes float, not'):
        config_lib.load(path, [right, "sgd.momentum = '0.9'"])
