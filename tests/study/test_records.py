"""Records appear whole, are read strictly, and merge where they agree."""

import json

import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.study.records import (
    frame,
    merged,
    read_records,
    without_volatile,
    write_records,
)

HEAD = dict(
    key='abc',
    what='transfer',
    config='a.py',
    seed=0,
    weights_sha256='1',
    data={},
    versions={},
    volatile=dict(seconds=3.0),
)


@pytest.fixture
def path(tmp_path):
    rows = [dict(kind='score', score='AP50', value=0.5), dict(kind='score', value=None)]
    write_records(tmp_path, HEAD, rows)
    return tmp_path / 'records.jsonl'


def test_records_are_numbered_and_read_as_they_were_written(path):
    head, first, second = read_records(path)
    assert (head['id'], first['id'], second['id']) == ('abc/0', 'abc/1', 'abc/2')
    assert head['kind'] == 'cell' and first['value'] == 0.5 and second['value'] is None
    assert 'volatile' not in without_volatile([head])[0]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('{', 'they cannot be read'),
        ('[1]', 'line 1: expected a record, got list'),
        ('{"schema": 1, "kind": "score"}', 'id is missing'),
        ('{"schema": 1, "id": "a/0", "kind": "cell"}', 'key is missing'),
        (
            '{"schema": 2, "id": "a/1", "kind": "score"}',
            'expected a schema up to 1, got 2: a newer mmdetxfer wrote it',
        ),
    ],
)
def test_a_record_that_does_not_fit_is_refused_with_the_reason(path, line, message):
    path.write_text(line + '\n')
    with pytest.raises(UserError, match='records.jsonl') as caught:
        read_records(path)
    assert message in str(caught.value)


def test_a_field_that_is_not_known_is_no_error(path):
    """The schema only grows: older readers take what they know."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]['new'] = 1
    path.write_text('\n'.join(map(json.dumps, rows)))
    assert read_records(path)[1]['new'] == 1


def test_studies_merge_where_they_agree_but_for_what_is_volatile(path):
    one = read_records(path)
    other = [{**row} for row in one]
    other[0] = {**one[0], 'volatile': dict(seconds=9.0)}
    other.append(dict(one[1], id='other/1'))
    assert [row['id'] for row in merged([one, other])] == [
        'abc/0',
        'abc/1',
        'abc/2',
        'other/1',
    ]
    other[1] = {**one[1], 'value': 0.6}
    with pytest.raises(UserError, match='record abc/1: .* they differ in value'):
        merged([one, other])


def test_studies_that_share_a_cell_merge_with_what_it_is_in_each(path):
    """Two names for one cell; its numbers must still agree."""
    one, other = [
        [
            {**row, 'candidate': name, 'role': 'final', 'uses': [dict(candidate=name)]}
            for row in read_records(path)
        ]
        for name in ('cls', 'mine')
    ]
    found = merged([one, other])
    assert found[1]['uses'] == [dict(candidate='cls'), dict(candidate='mine')]
    assert found[1]['candidate'] == 'cls' and one[1]['uses'] == [dict(candidate='cls')]
    assert merged([found, other]) == found
    other[1]['value'] = 0.9
    with pytest.raises(UserError, match='they differ in value;'):
        merged([one, other])


def test_a_frame_has_what_a_score_was_found_by(path):
    table = frame(read_records(path))
    assert (
        list(table['score'])[0] == 'AP50' and list(table['cell.config']) == ['a.py'] * 2
    )
