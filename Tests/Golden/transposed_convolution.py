"""Writes Tests/AutodiffTests/Fixtures/transposed_convolution.json: PyTorch's transposed convolutions.

python3 transposed_convolution.py [PATH]        needs PyTorch

Inputs, weights and biases are small whole numbers that the test makes anew, so results are exact.
"""

import json
import os
import sys

import torch

CASES = [
    # input [sample, inputs, ...], weight [inputs, outputs/groups, ...kernel], stride, dilation, padding, output padding
    ([2, 2, 5], [2, 3, 2], [2], [1], [0], [0], 1),
    ([1, 4, 4], [4, 2, 3], [3], [2], [2], [1], 2),
    ([2, 2, 3, 4], [2, 2, 2, 2], [2, 2], [1, 1], [0, 0], [0, 0], 1),
    ([1, 2, 4, 3], [2, 1, 3, 2], [2, 3], [1, 2], [1, 0], [1, 2], 2),
    ([1, 3, 3, 3], [3, 2, 3, 3], [1, 1], [2, 1], [1, 1], [0, 0], 1),
    ([1, 2, 2, 3, 2], [2, 2, 3, 2, 2], [2, 1, 2], [1, 1, 1], [1, 0, 1], [0, 0, 1], 1),
]


def ramp(shape, step):
    count = int(torch.tensor(shape).prod())
    return torch.tensor([index * step % 11 - 5 for index in range(count)], dtype=torch.float64).reshape(shape)


def main():
    default = os.path.join(os.path.dirname(__file__), "../AutodiffTests/Fixtures/transposed_convolution.json")
    cases = []
    for shape, weight, stride, dilation, padding, extra, groups in CASES:
        function = getattr(torch.nn.functional, f"conv_transpose{len(shape) - 2}d")
        result = function(
            ramp(shape, 3), ramp(weight, 7), ramp([weight[1] * groups], 2), stride=stride, padding=padding,
            output_padding=extra, groups=groups, dilation=dilation)
        cases.append(dict(
            input=shape, weight=weight, output=list(result.shape), stride=stride, dilation=dilation, padding=padding,
            outputPadding=extra, groups=groups, values=[int(value) for value in result.flatten()]))
    with open(sys.argv[1] if len(sys.argv) > 1 else default, "w") as file:
        json.dump(cases, file)
        file.write("\n")


main()
