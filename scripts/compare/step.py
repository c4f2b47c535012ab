"""A training step or a forward pass in PyTorch, timed as `mga bench` times it; the two print the same JSON keys.

    python step.py train --backbone densenet161 --size 448 --batch 2 --freeze-through transition2 --attention residual
    python step.py infer --backbone resnet50 --batch 8
    python step.py train --backbone resnet18 --batch 2 --write-check FILE   # for `mga bench train --check FILE`

fp32 and the default (NCHW) memory format, unless --bf16 or --channels-last say otherwise; on a GPU as PyTorch comes, that
is convolutions in TF32. A step is forward, backward and SGD with momentum and weight decay. Run it with
OMP_WAIT_POLICY=PASSIVE. Needs torch and torchvision, and safetensors for --write-check.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

CLASSES = 100
# What the experiments freeze through, as the modules of torchvision's `features` that come before it ends.
FROZEN = {
    "densenet161": {"transition2": ["conv0", "norm0", "denseblock1", "transition1", "denseblock2", "transition2"]},
}


class Net(nn.Module):
    """torchvision's classifier, with mask guided attention (residual) where asked for."""

    def __init__(self, backbone, attention):
        super().__init__()
        self.kind = backbone
        self.net = getattr(torchvision.models, backbone)(weights=None, num_classes=CLASSES)
        self.attention = nn.Conv2d(2, 1, 1, bias=False) if attention else None

    def forward(self, x):
        if self.attention is None:
            return self.net(x), None
        if not self.kind.startswith("densenet"):
            raise SystemExit("--attention is written for densenets here")
        features = self.net.features(x)
        pooled = torch.cat([features.mean(1, keepdim=True), features.max(1, keepdim=True)[0]], 1)
        amap = torch.sigmoid(self.attention(pooled))
        features = F.relu(0.5 * features + 0.5 * amap * features, inplace=True)
        return self.net.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1)), amap


def loss_of(net, images, labels, masks):
    logits, amap = net(images)
    loss = F.cross_entropy(logits, labels)
    if amap is not None:
        target = F.adaptive_avg_pool2d(masks, amap.shape[-2:]) + 1e-12
        target = target / target.amax((1, 2, 3), keepdim=True)
        loss = loss + 0.1 * F.mse_loss(amap, target)
    return loss


def state(net):
    """The state under mga's names."""
    names = {}
    for name, tensor in net.net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        names[our_name(name, net.kind)] = tensor
    if net.attention is not None:
        names["attention.weight"] = net.attention.weight
    return names


def our_name(name, kind):
    if kind.startswith("resnet") and name.startswith("fc."):
        return "classifier" + name[2:]
    return name


def write_check(net, batch, path):
    from safetensors.torch import save_file

    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    entries = {"state." + name: tensor.detach().clone() for name, tensor in state(net).items()}
    images, labels, masks = batch
    loss_of(net, images, labels, masks).backward()
    for name, parameter in net.net.named_parameters():
        if parameter.grad is not None:
            entries["gradient." + our_name(name, net.kind)] = parameter.grad
    if net.attention is not None:
        entries["gradient.attention.weight"] = net.attention.weight.grad
    entries |= {"images": images, "labels": labels.to(torch.uint32), "masks": masks}
    save_file({name: tensor.contiguous() for name, tensor in entries.items()}, path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["train", "infer"])
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--freeze-through")
    parser.add_argument("--attention", choices=["residual"])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16; weights stay in fp32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--double", action="store_true", help="float64, for --write-check")
    parser.add_argument("--write-check", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    dtype = torch.float64 if args.double else torch.float32
    net = Net(args.backbone, args.attention).to(dtype)
    if args.freeze_through:
        for name in FROZEN[args.backbone][args.freeze_through]:
            for parameter in getattr(net.net.features, name).parameters():
                parameter.requires_grad = False
    images = torch.randn(args.batch, 3, args.size, args.size, dtype=dtype)
    masks = torch.rand(args.batch, 1, args.size, args.size, dtype=dtype)
    labels = torch.arange(args.batch) * 7 % CLASSES
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    net, images = net.to(args.device, memory_format=layout), images.to(args.device, memory_format=layout)
    masks, labels = masks.to(args.device), labels.to(args.device)
    on_gpu = torch.device(args.device).type == "cuda"
    autocast = torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=args.bf16)
    if args.write_check:
        return write_check(net, (images, labels, masks), args.write_check)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1e-4, momentum=0.9, weight_decay=5e-4)
    net.train(args.work == "train")

    def step():
        started = time.perf_counter()
        if args.work == "train":
            optimiser.zero_grad()
            with autocast:
                loss = loss_of(net, images, labels, masks)
            loss.backward()
            optimiser.step()
        else:
            with torch.inference_mode(), autocast:
                net(images)
        if on_gpu:
            torch.cuda.synchronize()
        return (time.perf_counter() - started) * 1e3

    for _ in range(2):
        step()
    times, begin = [], time.perf_counter()
    while len(times) < args.steps or time.perf_counter() - begin < args.seconds:
        times.append(step())
    median = statistics.median(times)
    print(json.dumps({
        "work": args.work, "backbone": args.backbone, "size": args.size, "batch": args.batch,
        "threads": args.threads, "steps": len(times), "median_ms": median, "min_ms": min(times),
        "max_ms": max(times), "images_per_second": args.batch / median * 1e3,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
