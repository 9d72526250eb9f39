import pytest
import torch

from t2f_train.text_encoder import TextEncoder


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return TextEncoder(50, 6, 9).double()


def padded(*rows, length):
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])


@pytest.mark.parametrize("length", [3, 4, 20, 100])
def test_padding_never_changes_an_embedding(encoder, length):
    alone = encoder(torch.tensor([[5, 6, 7]]))
    torch.testing.assert_close(encoder(padded([5, 6, 7], length=length)), alone)


def test_the_company_of_longer_rows_never_changes_an_embedding(encoder):
    rows = ([3], [4, 5, 6], [7, 8], [9] * 12)
    together = encoder(padded(*rows, length=12))
    alone = torch.cat([encoder(torch.tensor([row])) for row in rows])
    torch.testing.assert_close(together, alone)


def test_the_embedding_is_the_lstms_state_after_the_last_token(encoder):
    tokens = torch.tensor([[5, 6, 7]])
    _, (state, _) = encoder.lstm(encoder.embedding(tokens))
    torch.testing.assert_close(encoder(tokens), state[0])


def test_the_order_of_words_changes_an_embedding(encoder):
    difference = encoder(torch.tensor([[5, 6, 7]])) - encoder(torch.tensor([[7, 6, 5]]))
    assert difference.abs().max() > 1e-3


def test_gradients_reach_every_parameter_but_not_the_paddings_embedding(encoder):
    encoder(padded([5, 6, 7], [8], length=5)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert (encoder.embedding.weight.grad[0] == 0).all()
