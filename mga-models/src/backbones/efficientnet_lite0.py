class SameConv(torch.nn.Conv2d):
    """Without a bias, padded as TensorFlow's "SAME": as little as needed, the odd pixel on the right and below."""

    def __init__(self, channels, out, kernel, stride=1, groups=1):
        super().__init__(channels, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        margins = []
        for size, kernel, stride in zip((x.shape[3], x.shape[2]), self.kernel_size[::-1], self.stride[::-1]):
            margin = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            margins += [margin // 2, margin - margin // 2]
        return super().forward(F.pad(x, margins))


class Block(torch.nn.Module):
    """Expand, look around within each channel, project; the names are timm's."""

    def __init__(self, channels, out, kernel, stride, expansion):
        super().__init__()
        inner = channels * expansion
        deep = SameConv(inner, inner, kernel, stride, groups=inner)
        if expansion == 1:
            layers = {"conv_dw": deep, "conv_pw": SameConv(inner, out, 1)}
        else:
            layers = {"conv_pw": SameConv(channels, inner, 1), "conv_dw": deep, "conv_pwl": SameConv(inner, out, 1)}
        self.order = list(layers)
        for number, (name, layer) in enumerate(layers.items(), 1):
            self.add_module(name, layer)
            self.add_module(f"bn{number}", torch.nn.BatchNorm2d(layer.out_channels, eps=1e-3))
        self.residual = stride == 1 and channels == out

    def forward(self, x):
        y = x
        for number, name in enumerate(self.order, 1):
            y = getattr(self, f"bn{number}")(getattr(self, name)(y))
            y = F.relu6(y) if number < len(self.order) else y
        return x + y if self.residual else y


class EfficientNetLite0(torch.nn.Module):
    # Kernel, stride of the first block, expansion, channels, blocks.
    STAGES = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
              (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]

    def __init__(self, classes):
        super().__init__()
        self.conv_stem, self.bn1 = SameConv(3, 32, 3, 2), torch.nn.BatchNorm2d(32, eps=1e-3)
        stages, channels = [], 32
        for kernel, stride, expansion, out, count in self.STAGES:
            blocks = [Block(channels, out, kernel, stride, expansion)]
            blocks += [Block(out, out, kernel, 1, expansion) for _ in range(count - 1)]
            stages.append(torch.nn.Sequential(*blocks))
            channels = out
        self.blocks = torch.nn.Sequential(*stages)
        self.conv_head, self.bn2 = SameConv(channels, 1280, 1), torch.nn.BatchNorm2d(1280, eps=1e-3)
        self.classifier = torch.nn.Linear(1280, classes)
