"""The doctor's table and its exit code."""

import pytest

from mmdetxfer.doctor import Finding, report, table

OK = Finding('ok', 'torch', '2.11.0')
NOTE = Finding('note', 'mim', 'not installed', 'pip install x')
PROBLEM = Finding('problem', 'mmcv ops', 'gone', 'bash tools/setup_env.sh')


def test_the_table_has_aligned_columns_and_each_cure_on_a_line_of_its_own():
    assert table([OK, PROBLEM]).splitlines() == [
        'ok       torch     2.11.0',
        'problem  mmcv ops  gone',
        '                   cure: bash tools/setup_env.sh',
    ]


def test_a_long_finding_is_wrapped_under_its_column():
    lines = table([Finding('ok', 'GPU', 'NVIDIA ' * 20)]).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(' ' * 14 + 'NVIDIA')


@pytest.mark.parametrize(
    ('rows', 'code', 'last_line'),
    [
        ([OK, NOTE], 0, 'nothing here would stop a training'),
        ([OK, PROBLEM, NOTE, PROBLEM], 1, '2 of these would stop a training'),
    ],
)
def test_the_exit_code_is_1_only_if_a_training_would_stop(
    monkeypatch, capsys, rows, code, last_line
):
    monkeypatch.setattr(report, 'observe', lambda: None)
    monkeypatch.setattr(report, 'findings', lambda seen: rows)
    assert report.main([]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last_line
