"""Newton steps against second derivatives that autograd takes."""

import pytest
import torch

from mmdetxfer.probes.newton import is_small, newton_step

STRENGTH = 0.3


@pytest.mark.parametrize('has_intercept', [True, False])
def test_a_step_solves_the_equation_of_the_second_derivatives(has_intercept):
    """Of the objective as its definition says; classes do not shift together."""
    drawn = torch.Generator().manual_seed(0)
    features = torch.randn(12, 4, generator=drawn, dtype=torch.float64)
    features[:, -1] = float(has_intercept)
    labels = torch.arange(12) % 3
    place = torch.randn(4, 3, generator=drawn, dtype=torch.float64)
    place -= place.mean(1, keepdim=True)

    def objective(flat):
        weights = flat.reshape(4, 3)
        losses = torch.nn.functional.cross_entropy(
            features @ weights, labels, reduction='sum'
        )
        return losses + STRENGTH / 2 * weights[:-1].square().sum()

    flat = place.flatten().requires_grad_(True)
    (gradient,) = torch.autograd.grad(objective(flat), flat)
    curvature = torch.autograd.functional.hessian(objective, flat.detach())
    expected = -(torch.linalg.pinv(curvature, rtol=1e-10) @ gradient).reshape(4, 3)
    shares = (features @ place).softmax(1).detach()
    step = newton_step(features, shares, gradient.reshape(4, 3), STRENGTH)
    torch.testing.assert_close(step[:-1], expected[:-1], rtol=1e-3, atol=1e-4)
    assert (step[-1].abs().max() > 0.1) == has_intercept
    # A quadratic function would be at its least there.
    left = curvature @ step.flatten() + gradient
    assert left.abs().max() < 1e-3 * gradient.abs().max()


def test_without_any_curvature_there_is_no_step():
    """No penalty, and two equal features."""
    features = torch.ones(5, 2, dtype=torch.float64)
    shares = torch.full((5, 2), 0.5, dtype=torch.float64)
    assert newton_step(features, shares, features[:2] * 0.1, 0.0) is None


@pytest.mark.parametrize(
    'sizes, expected',
    [
        ((160, 127, 10), True),
        # 2,890 unknowns, and ten more: 8,352,100 and 8,410,000 numbers.
        ((100, 288, 10), True),
        ((100, 289, 10), False),
        # 1,028 times the former is 8.59 thousand million products.
        ((1_028, 288, 10), True),
        ((1_029, 288, 10), False),
        # 840 unknowns of so many images: 8,388,240 and 8,389,080 numbers.
        ((9_986, 83, 10), True),
        ((9_987, 83, 10), False),
        ((18_400, 2048, 257), False),
    ],
)
def test_large_problems_are_left_to_first_derivatives(sizes, expected):
    assert is_small(*sizes) == expected
