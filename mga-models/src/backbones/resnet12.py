def layer(channels, out, side):
    return torch.nn.Conv2d(channels, out, side, padding=side // 2, bias=False), torch.nn.BatchNorm2d(out)


class Block(torch.nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv1, self.bn1 = layer(channels, out, 3)
        self.conv2, self.bn2 = layer(out, out, 3)
        self.conv3, self.bn3 = layer(out, out, 3)
        self.downsample = torch.nn.Sequential(*layer(channels, out, 1))

    def forward(self, x):
        y = F.leaky_relu(self.bn1(self.conv1(x)), 0.1)
        y = F.leaky_relu(self.bn2(self.conv2(y)), 0.1)
        y = self.bn3(self.conv3(y)) + self.downsample(x)
        return F.max_pool2d(F.leaky_relu(y, 0.1), 2)


class ResNet12(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer1 = torch.nn.Sequential(Block(3, 64))
        self.layer2 = torch.nn.Sequential(Block(64, 160))
        self.layer3 = torch.nn.Sequential(Block(160, 320))
        self.layer4 = torch.nn.Sequential(Block(320, 640))
        self.classifier = torch.nn.Linear(640, classes)
