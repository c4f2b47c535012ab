use std::path::PathBuf;

use image::{ExtendedColorType, GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::background::{Background, NamedBackground};

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read_picture(bytes: &[u8]) -> Result<(Picture, Option<Mask>)> {
    picture_and_alpha_from_bytes(bytes, Path::new("some/file.jpg"), &Backdrop::default(), "file")
}

/// Two halves, left dark red, right light blue: wide enough for JPEG's blocks.
fn halves() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([128, 0, 0]) } else { Rgb([200, 220, 255]) })
}

fn on_disk(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

const FORMATS: [(ImageFormat, f32); 7] = [
    (ImageFormat::Jpeg, 0.03),
    (ImageFormat::Png, 0.0),
    (ImageFormat::Tiff, 0.0),
    (ImageFormat::Bmp, 0.0),
    (ImageFormat::WebP, 0.0),
    (ImageFormat::Gif, 0.0),
    (ImageFormat::Pnm, 0.0),
];

#[test]
fn every_format_is_read_by_content() {
    for (format, tolerance) in FORMATS {
        let bytes = encode(halves(), format);
        // The extension lies on purpose.
        let (_folder, path) = on_disk("lies.png", &bytes);
        let picture = picture(&path, &Backdrop::default(), "").unwrap();
        assert_eq!((picture.width(), picture.height()), (32, 16), "{format:?}");
        assert_eq!(size(&path).unwrap(), (32, 16), "{format:?}");
        for (at, colour) in [(3 * (5 * 32 + 4), [128, 0, 0]), (3 * (9 * 32 + 28), [200, 220, 255])] {
            for (value, byte) in picture.pixels()[at..at + 3].iter().zip(colour) {
                let expected = f32::from(byte as u8) / 255.0;
                assert!((value - expected).abs() <= tolerance + 1e-6, "{format:?}: {value} for {expected}");
            }
        }
    }
}

#[test]
fn truncated_files_of_every_format_are_errors_by_path() {
    let noise = RgbImage::from_fn(32, 16, |x, y| Rgb([(x * 37 + y * 91) as u8, (x * y * 13) as u8, (x ^ y) as u8]));
    for (format, _) in FORMATS {
        let bytes = encode(noise.clone(), format);
        for keep in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let message = read_picture(&bytes[..keep]).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains("some/file.jpg"), "{format:?}: {message}");
        }
    }
    // A preview's end marker is not the file's.
    let bytes = encode(halves(), ImageFormat::Jpeg);
    let preview = [&[0xFF, 0xD8, 0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD9, 0xFF, 0xD9], &bytes[2..]].concat();
    assert!(jpeg::is_complete(&preview) && !jpeg::is_complete(&preview[..preview.len() - 2]));
    assert!(!jpeg::is_complete(&[]) && !jpeg::is_complete(&[0xFF, 0xD8, 0xFF, 0xE1, 0xFF]));
}

#[test]
fn what_is_no_image_is_told_by_path() {
    for (name, bytes, part) in [
        ("a.jpg", &b""[..], "is empty"),
        ("b.png", b"plain text", "is no image"),
        ("c.heic", b"\0\0\0\x18ftypheic", "is HEIC"),
        ("d.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "is HEIC"),
        ("e.jpg", b"\0\0\0\x18ftypavif\0\0\0\0", "is AVIF"),
        ("f.nef", b"II*\0", "is camera raw (NEF)"),
        ("g.jpg", b"\xFF\xD8\xFF\xE0", "JPEG"),
        ("h.png", b"\x89PNG\r\n\x1a\n\0\0", "cannot be decoded as Png"),
        ("i.png", b"8BPS", "is no image"),
    ] {
        let (_folder, path) = on_disk(name, bytes);
        for message in [
            picture(&path, &Backdrop::default(), "").map(|_| ()).unwrap_err().to_string(),
            size(&path).map(|_| ()).unwrap_err().to_string(),
            mask(&path).map(|_| ()).unwrap_err().to_string(),
        ] {
            assert!(message.contains(name) && message.contains(part), "{message}");
        }
    }
    assert!(matches!(picture(Path::new("no/such.jpg"), &Backdrop::default(), ""), Err(Error::Io { .. })));
    assert!(
        is_image_path(Path::new("x/A.JPeG")) && !is_image_path(Path::new("a.svg")) && !is_image_path(Path::new("a"))
    );
    assert_eq!(unsupported_format(Path::new("a.CR2")), Some("camera raw (CR2)"));
}

#[test]
fn bombs_are_refused_before_decoding() {
    // Within the limit of pixels, but not of memory: 16 bit numbers, and transparency.
    for (bytes, part) in
        [(b"P6\n12000 12000\n65535\n".to_vec(), "3.2 GiB"), (b"P6\n14000 14000\n255\n".to_vec(), "2.7 GiB")]
    {
        let message = read_picture(&bytes).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("14000 x 14000") || message.contains("12000 x 12000"), "{message}");
        assert!(message.contains(part) && message.contains("more than the limit of 2 GiB"), "{message}");
        let (_folder, path) = on_disk("bomb.ppm", &bytes);
        assert!(size(&path).unwrap_err().to_string().contains(part));
    }
    // Headers that claim 40000 x 30000 pixels: of BMP and PNM, which nothing but the limit would stop.
    let mut bmp = encode(RgbImage::new(1, 1), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&40_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    for bytes in [bmp, b"P6\n40000 30000\n255\n".to_vec()] {
        let message = read_picture(&bytes).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("40000 x 30000") && message.contains("200 million"), "{message}");
        let (_folder, path) = on_disk("bomb.bmp", &bytes);
        assert!(size(&path).unwrap_err().to_string().contains("200 million"));
    }
}

#[test]
fn sixteen_bits_grey_and_alpha() {
    let deep = ImageBuffer::<Rgb<u16>, _>::from_pixel(2, 1, Rgb([65535u16, 32768, 257]));
    let (picture, alpha) = read_picture(&encode(deep, ImageFormat::Png)).unwrap();
    assert!(alpha.is_none());
    let expected = [1.0, 32768.0 / 65535.0, 257.0 / 65535.0];
    assert!(picture.pixels().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{picture:?}");

    let (grey, _) = read_picture(&encode(GrayImage::from_pixel(2, 2, Luma([51])), ImageFormat::Png)).unwrap();
    assert!(grey.pixels().iter().all(|v| (v - 0.2).abs() < 1e-6));
    let deep = ImageBuffer::<Luma<u16>, _>::from_pixel(2, 1, Luma([13107u16]));
    let (grey, _) = read_picture(&encode(DynamicImage::ImageLuma16(deep), ImageFormat::Tiff)).unwrap();
    assert!(grey.pixels().iter().all(|v| (v - 0.2).abs() < 1e-6), "{grey:?}");

    let (over_white, alpha) =
        read_picture(&encode(GrayAlphaImage::from_pixel(1, 1, LumaA([0, 51])), ImageFormat::Png)).unwrap();
    assert!(over_white.pixels().iter().all(|v| (v - 0.8).abs() < 1e-6), "{over_white:?}");
    assert!((alpha.unwrap().values()[0] - 0.2).abs() < 1e-6);
    let deep = ImageBuffer::<Rgba<u16>, _>::from_pixel(1, 1, Rgba([65535u16, 0, 0, 32768]));
    let (picture, alpha) = read_picture(&encode(DynamicImage::ImageRgba16(deep), ImageFormat::Png)).unwrap();
    assert!((alpha.unwrap().values()[0] - 0.5).abs() < 1e-4 && (picture.pixels()[1] - 0.5).abs() < 1e-4);
}

#[test]
fn twelve_bits_in_sixteen_are_white_where_it_is_said() {
    let deep = ImageBuffer::<Rgb<u16>, _>::from_pixel(2, 1, Rgb([4095u16, 2048, 9000]));
    let bytes = encode(deep, ImageFormat::Png);
    let read = |white_point, bytes: &[u8]| {
        let backdrop = Backdrop { white_point, ..Backdrop::default() };
        picture_and_alpha_from_bytes(bytes, Path::new("deep.png"), &backdrop, "").unwrap().0
    };
    let close = |picture: &Picture, expected: [f32; 3]| {
        assert!(picture.pixels().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{picture:?}");
    };
    close(&read(None, &bytes), [4095.0 / 65535.0, 2048.0 / 65535.0, 9000.0 / 65535.0]);
    close(&read(Some(4095), &bytes), [1.0, 2048.0 / 4095.0, 1.0]);
    // Eight bits are eight bits.
    let plain = encode(RgbImage::from_pixel(2, 1, Rgb([51, 102, 204])), ImageFormat::Png);
    close(&read(Some(4095), &plain), [0.2, 0.4, 0.8]);
    assert!(header_from_bytes(&bytes, Path::new("")).unwrap().deep);
    assert!(!header_from_bytes(&plain, Path::new("")).unwrap().deep);
}

#[test]
fn a_palette_with_transparency_becomes_colour_and_alpha() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_palette(vec![255, 0, 0, 0, 255, 0]);
    encoder.set_trns(vec![255, 0]);
    encoder.write_header().unwrap().write_image_data(&[0b0100_0000]).unwrap();
    let black = Backdrop { background: Background::Named(NamedBackground::Black), ..Backdrop::default() };
    let (picture, alpha) = picture_and_alpha_from_bytes(&bytes, Path::new("p.png"), &black, "").unwrap();
    assert_eq!(picture.pixels(), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(alpha.unwrap().values(), [1.0, 0.0]);
    let (_folder, path) = on_disk("p.png", &bytes);
    assert!(has_alpha(&path).unwrap());
}

#[test]
fn cmyk_jpeg_becomes_rgb() {
    // One block of constant ink as Adobe writes it (255: none): C 255, M 128, Y 1, K 255.
    let mut bytes = b"\xFF\xD8\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0\xFF\xDB\0\x43\0".to_vec();
    bytes.extend([8u8; 64]);
    bytes.extend(b"\xFF\xC0\0\x14\x08\0\x08\0\x08\x04\x01\x11\0\x02\x11\0\x03\x11\0\x04\x11\0");
    // Two codes for the mean, none or seven bits follow; one for "nothing else in this block".
    bytes.extend(b"\xFF\xC4\0\x15\0\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07");
    bytes.extend(b"\xFF\xC4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.extend(b"\xFF\xDA\0\x0E\x04\x01\0\x02\0\x03\0\x04\0\0\x3F\0\xBF\x88\x02\xFE\xFF\xD9");
    let (picture, _) = read_picture(&bytes).unwrap();
    let expected = [1.0, 128.0 / 255.0, 1.0 / 255.0];
    assert_eq!((picture.width(), picture.height()), (8, 8));
    assert!(
        picture.pixels()[..3].iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.005),
        "{:?}",
        &picture.pixels()[..3]
    );
}

/// A JPEG with an EXIF segment that gives the orientation.
fn oriented(orientation: u8) -> Vec<u8> {
    let jpeg = encode(halves(), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn exif_orientation_is_applied() {
    // Where the red half lies: its corner (x, y) in the turned picture.
    for (orientation, sides, red) in [
        (1, (32, 16), (2, 2)),
        (2, (32, 16), (29, 2)),
        (3, (32, 16), (29, 13)),
        (6, (16, 32), (2, 2)),
        (8, (16, 32), (2, 29)),
    ] {
        let bytes = oriented(orientation);
        let (picture, _) = read_picture(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), sides, "orientation {orientation}");
        let pixel = &picture.pixels()[3 * (red.1 * picture.width() + red.0)..][..3];
        assert!((pixel[0] - 0.5).abs() < 0.05 && pixel[2] < 0.05, "orientation {orientation}: {pixel:?}");
        let (_folder, path) = on_disk("turned.jpg", &bytes);
        assert_eq!(size(&path).unwrap(), sides, "orientation {orientation}");
    }
}

#[test]
fn masks_of_every_range_come_out_in_zero_to_one() {
    let read = |bytes: &[u8]| mask_from_bytes(bytes, Path::new("m.png")).unwrap().values().to_vec();
    let grey = |values: [u8; 3]| encode(GrayImage::from_raw(3, 1, values.to_vec()).unwrap(), ImageFormat::Png);
    let deep = |values: [u16; 3]| {
        let image = ImageBuffer::<Luma<u16>, _>::from_raw(3, 1, values.to_vec()).unwrap();
        encode(DynamicImage::ImageLuma16(image), ImageFormat::Png)
    };
    let close = |a: Vec<f32>, b: [f32; 3]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
    close(read(&grey([0, 1, 1])), [0.0, 1.0, 1.0]);
    close(read(&grey([0, 255, 51])), [0.0, 1.0, 0.2]);
    close(read(&grey([0, 2, 51])), [0.0, 2.0 / 255.0, 0.2]);
    close(read(&grey([0, 0, 0])), [0.0; 3]);
    close(read(&deep([0, 1, 1])), [0.0, 1.0, 1.0]);
    close(read(&deep([0, 255, 51])), [0.0, 1.0, 0.2]);
    close(read(&deep([0, 65535, 13107])), [0.0, 1.0, 0.2]);
    let colour = RgbImage::from_raw(3, 1, vec![0, 0, 0, 255, 0, 0, 51, 51, 51]).unwrap();
    close(read(&encode(colour, ImageFormat::Png)), [0.0, 1.0, 0.2]);
    let clear = RgbaImage::from_raw(3, 1, vec![255, 255, 255, 0, 255, 255, 255, 255, 255, 255, 255, 51]).unwrap();
    close(read(&encode(clear, ImageFormat::Png)), [0.0, 1.0, 0.2]);
}

#[test]
fn floating_point_tiff_has_to_be_in_range() {
    let tiff = |value: f32| {
        let mut bytes = Cursor::new(Vec::new());
        let raw: Vec<u8> = [value; 3].iter().flat_map(|v| v.to_ne_bytes()).collect();
        image::write_buffer_with_format(&mut bytes, &raw, 1, 1, ExtendedColorType::Rgb32F, ImageFormat::Tiff).unwrap();
        bytes.into_inner()
    };
    assert_eq!(read_picture(&tiff(0.5)).unwrap().0.pixels(), [0.5; 3]);
    for bad in [2.0, -1.0, f32::NAN] {
        assert!(read_picture(&tiff(bad)).unwrap_err().to_string().contains("from 0 to 1"));
    }
}
