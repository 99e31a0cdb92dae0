"""What a killed pip leaves behind is seen, and forgotten so that pip sees it too."""

from pathlib import Path

import pytest

from mmdetxfer.doctor import distributions
from mmdetxfer.doctor.distributions import (
    damage,
    forget_damaged,
    installed_distributions,
    main,
    problems,
    read_pins,
)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A site-packages folder with one whole distribution, My_Pkg 1.0."""
    metadata = tmp_path / 'My_Pkg-1.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text('Name: My_Pkg\nVersion: 1.0\n')
    (tmp_path / 'my_pkg.py').write_text('x = 1\n')
    record = 'my_pkg.py,,6\n__pycache__/my_pkg.pyc,,\nMy_Pkg-1.0.dist-info/RECORD,,\n'
    (metadata / 'RECORD').write_text(record)
    monkeypatch.setattr(distributions, 'site_packages', lambda: tmp_path)
    return tmp_path


def my_pkg(site: Path):
    return installed_distributions(site)['my-pkg']


def test_a_whole_distribution_has_no_damage_even_without_its_byte_code(site):
    assert damage(my_pkg(site), compare_sizes=True) is None
    assert list(problems({'my-pkg': '1.0'})) == []


def test_a_missing_record_is_damage(site):
    (site / 'My_Pkg-1.0.dist-info' / 'RECORD').unlink()
    assert damage(my_pkg(site)) == 'its RECORD is missing'


def test_an_empty_record_is_damage(site):
    (site / 'My_Pkg-1.0.dist-info' / 'RECORD').write_text('')
    assert damage(my_pkg(site)) == 'its RECORD is missing'


def test_a_missing_file_is_damage(site):
    (site / 'my_pkg.py').unlink()
    assert damage(my_pkg(site)) == 'my_pkg.py is missing'


def test_a_file_of_another_size_is_damage_only_if_sizes_are_compared(site):
    (site / 'my_pkg.py').write_text('x =')
    assert (
        damage(my_pkg(site), compare_sizes=True) == 'my_pkg.py has 3 bytes instead of 6'
    )
    assert damage(my_pkg(site)) is None


def test_problems_name_what_is_absent_other_or_damaged(site):
    assert list(problems({'other': '2.0'})) == ['other 2.0 is not installed']
    assert list(problems({'my-pkg': '2.0'})) == ['my-pkg is 1.0, expected 2.0']
    (site / 'my_pkg.py').unlink()
    assert list(problems({'my-pkg': '1.0'})) == [
        'my-pkg 1.0 is damaged: my_pkg.py is missing'
    ]


def test_the_metadata_of_a_damaged_distribution_is_removed(site):
    assert forget_damaged(site) == []
    (site / 'my_pkg.py').write_text('x =')
    assert forget_damaged(site) == ['My_Pkg-1.0: my_pkg.py has 3 bytes instead of 6']
    assert installed_distributions(site) == {}


def test_the_size_of_a_file_that_two_distributions_claim_is_no_damage(site):
    """The last one to be installed wrote it; both keep working."""
    other = site / 'other-2.0.dist-info'
    other.mkdir()
    (other / 'METADATA').write_text('Name: other\nVersion: 2.0\n')
    (other / 'RECORD').write_text('my_pkg.py,,999\n')
    assert forget_damaged(site) == []


def test_leftovers_of_a_replacement_are_removed(site):
    (site / '~y_pkg').mkdir()
    (site / '~y_pkg' / 'file.py').write_text('')
    (site / '~ther.py').write_text('')
    removed = [line.split(':')[0] for line in forget_damaged(site)]
    assert sorted(removed) == ['~ther.py', '~y_pkg']
    assert not list(site.glob('~*'))


def test_pins_are_read_past_comments_and_by_normalised_name(tmp_path):
    file = tmp_path / 'pins.txt'
    file.write_text('# torch==1.0\nMy_Pkg==1.0  # why\nx.y==2\n\nno pin\n')
    assert read_pins(file) == {'my-pkg': '1.0', 'x-y': '2'}


def test_the_commands_print_lines_and_verify_fails_on_a_problem(site, tmp_path, capsys):
    assert main(['freeze']) == 0
    assert capsys.readouterr().out == 'my-pkg==1.0\n'
    pins = tmp_path / 'pins.txt'
    pins.write_text('my-pkg==1.0\nother==2\n')
    assert main(['freeze', str(pins)]) == 0
    assert capsys.readouterr().out == 'my-pkg==1.0\n'
    assert main(['verify', str(pins)]) == 1
    assert capsys.readouterr().out == 'other 2 is not installed\n'
    pins.write_text('my-pkg==1.0\n')
    assert main(['verify', str(pins)]) == 0
    pins.write_text('unrelated==1.0\n')
    assert main(['freeze', str(pins)]) == 0
    (site / 'my_pkg.py').unlink()
    capsys.readouterr()
    assert main(['clean']) == 0
    assert capsys.readouterr().out == 'My_Pkg-1.0: my_pkg.py is missing\n'


def test_an_unknown_command_is_refused():
    with pytest.raises(
        ValueError, match='expected freeze, verify or clean, came .fix.'
    ):
        main(['fix'])
