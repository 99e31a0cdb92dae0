"""Features of an image out of maps, by hand."""

import pytest
import torch

from mmdetxfer.probes.pooling import pooled

MAP = torch.arange(16.0).reshape(1, 1, 4, 4)


def test_maps_become_means_of_fields():
    """Rows 0 to 3, 4 to 7 ...: the first quarter has 0, 1, 4, 5."""
    assert pooled(MAP).tolist() == [[7.5]]
    assert pooled(MAP, 2).tolist() == [[2.5, 4.5, 10.5, 12.5]]
    assert pooled(MAP, 4).tolist() == pooled(MAP, 'whole').tolist() == [list(range(16))]
    # Channels are outermost.
    two = torch.cat([MAP, MAP + 100], dim=1)
    assert pooled(two).tolist() == [[7.5, 107.5]]


def test_tokens_and_vectors():
    tokens = torch.tensor([[[1.0, 3.0], [5.0, 9.0]]])
    assert pooled(tokens).tolist() == [[2, 7]]
    assert pooled(tokens, 'whole').tolist() == [[1, 3, 5, 9]]
    assert pooled(torch.ones(2, 3), 4).tolist() == [[1] * 3] * 2


@pytest.mark.parametrize(
    'layer, size, said',
    [
        (MAP, 5, r'expected a map of 5x5 or more, got a layer of \(1, 4, 4\)'),
        (torch.ones(1, 2, 9), 2, r'expected a map of 2x2 or more, got a layer of \(2'),
        (MAP, 0, "pooling: expected a number from 1 or 'whole', got 0"),
        (MAP, 'all', "pooling: expected a number from 1 or 'whole', got 'all'"),
    ],
)
def test_fields_that_a_layer_does_not_have(layer, size, said):
    with pytest.raises(ValueError, match=said):
        pooled(layer, size)
