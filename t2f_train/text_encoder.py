"""The text encoder: from tokens to one sentence embedding.

Source: T2F (Karnewar 2018): an embedding, an LSTM and the state after the last word.
"""

import torch
from torch import Tensor, nn

PADDING_TOKEN = 0


class TextEncoder(nn.Module):
    """Embeds tokens and reads them with an LSTM.

    Args:
        vocabulary_size: Number of different tokens, padding among them.
        embedding_size: Length of a token's embedding.
        sentence_size: Length of the sentence embedding psi: the LSTM's state.

    Attributes:
        sentence_size: As given.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, sentence_size: int) -> None:
        super().__init__()
        self.sentence_size = sentence_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PADDING_TOKEN)
        self.lstm = nn.LSTM(embedding_size, sentence_size, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Reads each row up to its last real token; what pads it never changes the result.

        Args:
            tokens: Shape `(batch, length)`, int64, each row padded at its end with 0 and holding
                one real token at least.

        Returns:
            The sentence embeddings psi, shape `(batch, sentence)`, each value in -1 to 1.
        """
        states, _ = self.lstm(self.embedding(tokens))
        last = (tokens != PADDING_TOKEN).sum(dim=1) - 1
        # The LSTM reads from left to right: the state at the last real token has seen no padding.
        index = last[:, None, None].expand(-1, 1, states.shape[2])
        return torch.gather(states, 1, index)[:, 0]
