//! The reference fixtures, whole networks against PyTorch's float64 numbers, on the device.

use candle_core::DType;

use crate::run::{Extent, run};
use crate::{cases, classifiers, place};

macro_rules! on_the_device {
    ($($name:ident: $run:expr;)+) => {$(
        #[test]
        #[ignore = "without a GPU these are the composed ones of the test `fixtures`"]
        fn $name() {
            let run: fn(DType) = $run;
            run(DType::F64);
            run(DType::F32);
        }
    )+};
}

/// In `f64` three steps; in `f32`, whose roundings steps amplify, the first.
fn mga(case: &cases::MgaCase, dtype: DType) {
    run(case, dtype, &place(), if dtype == DType::F64 { Extent::ThreeSteps } else { Extent::FirstStep });
}

on_the_device! {
    resnet18_none: |dtype| mga(&cases::RESNET18_NONE, dtype);
    resnet18_concat: |dtype| mga(&cases::RESNET18_CONCAT, dtype);
    resnet50_residual: |dtype| mga(&cases::RESNET50, dtype);
    densenet161_residual: |dtype| mga(&cases::DENSENET161, dtype);
    mobilenet_v2_multiply: |dtype| mga(&cases::MOBILENET_V2, dtype);
    vgg19_residual: |dtype| mga(&cases::VGG19, dtype);
    densenet121: |dtype| classifiers::run("densenet121", dtype, &place());
    resnet34: |dtype| classifiers::run("resnet34", dtype, &place());
    vgg16_bn: |dtype| classifiers::run("vgg16_bn", dtype, &place());
    inception_v3: |dtype| classifiers::run("inception_v3", dtype, &place());
    timm_vgg19: |dtype| classifiers::run_timm("vgg19", "vgg19", dtype, &place());
    timm_mobilenetv2_100: |dtype| classifiers::run_timm("mobilenetv2_100", "mobilenet_v2", dtype, &place());
    timm_tf_efficientnet_lite0: |dtype| classifiers::run_timm("tf_efficientnet_lite0", "efficientnet_lite0", dtype, &place());
}
