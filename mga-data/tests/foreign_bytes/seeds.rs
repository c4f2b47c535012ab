//! Whole files, small ones, of every kind that is read.

use std::io::Cursor;
use std::sync::Arc;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 9) as u8, (y * 13) as u8, (x * y) as u8]))
}

/// Images of every format that is read; the second is a plain PNG.
pub(crate) fn pictures() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Tiff,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Pnm,
    ]
    .into_iter()
    .map(|format| encoded(pattern(20, 14), format))
    .collect();
    let deep = ImageBuffer::<Luma<u16>, _>::from_fn(9, 7, |x, y| Luma([(x * 4000 + y) as u16]));
    all.push(encoded(DynamicImage::ImageLuma16(deep.clone()), ImageFormat::Png));
    all.push(encoded(DynamicImage::ImageLuma16(deep), ImageFormat::Tiff));
    let clear = ImageBuffer::<Rgba<u8>, _>::from_fn(9, 7, |x, y| Rgba([x as u8, y as u8, 7, (x * 28) as u8]));
    all.push(encoded(DynamicImage::ImageRgba8(clear.clone()), ImageFormat::Png));
    all.push(encoded(DynamicImage::ImageRgba8(clear), ImageFormat::WebP));
    let faint = ImageBuffer::<LumaA<u8>, _>::from_fn(5, 5, |x, y| LumaA([x as u8, (y * 50) as u8]));
    all.push(encoded(DynamicImage::ImageLumaA8(faint), ImageFormat::Png));
    let floats = ImageBuffer::<Rgb<f32>, _>::from_fn(4, 3, |x, y| Rgb([x as f32 / 4.0, y as f32 / 3.0, 0.5]));
    all.push(encoded(DynamicImage::ImageRgb32F(floats), ImageFormat::Tiff));
    all.extend(label_maps());
    all.extend([b"P1\n3 2\n1 0 1\n0 1 0\n".to_vec(), b"P2\n3 1\n255\n0 128 255\n".to_vec(), bitmap(8, 6)]);
    all
}

/// Palettes and grey values of few bits.
pub(crate) fn label_maps() -> Vec<Vec<u8>> {
    let png = |colour, depth, data: &[u8]| {
        let mut bytes = vec![];
        let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            encoder.set_palette((0..12).collect::<Vec<u8>>());
            encoder.set_trns(vec![255, 0]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    };
    vec![
        png(png::ColorType::Indexed, png::BitDepth::Two, &[0b0001_1000, 0b0100_0000]),
        png(png::ColorType::Indexed, png::BitDepth::Eight, &[0, 1, 2, 2, 1, 0]),
        png(png::ColorType::Grayscale, png::BitDepth::Four, &[0x01, 0x20, 0x10, 0x00]),
        png(png::ColorType::Grayscale, png::BitDepth::Sixteen, &[0, 0, 0, 1, 0, 2, 0, 1, 0, 0, 0, 0]),
    ]
}

/// A bitmap with a palette, compressed by run lengths: what its data leave out is filled in.
fn bitmap(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend([70u32, 0, 62, 40, width, height].map(u32::to_le_bytes).concat());
    bytes.extend([1u16, 8].map(u16::to_le_bytes).concat());
    // Run lengths, and a palette of two colours.
    bytes.extend([1u32, 8, 2835, 2835, 2, 0, 0, 0x00FF_FFFF].map(u32::to_le_bytes).concat());
    // Four pixels of colour 1, the end of the line, the end of the picture.
    bytes.extend([4, 1, 0, 0, 2, 0, 0, 1]);
    bytes
}

/// Annotations of the LabelMe program.
pub(crate) fn labelme() -> Vec<Vec<u8>> {
    let shapes = serde_json::json!([
        { "label": "vein", "points": [[0, 0], [9, 1.5], [4, 8]] },
        { "label": "vein", "shape_type": "linestrip", "points": [[0, 0], [9, 1], [15, 11]] },
        { "label": "vein", "shape_type": "circle", "points": [[3, 3], [5, 3]] },
        { "label": "leaf", "shape_type": "rectangle", "points": [[1, 1], [15, 11]] },
        { "label": "__ignore__", "shape_type": "point", "points": [[7, 7]] }
    ]);
    let file = serde_json::json!({ "version": "5.5.0", "imageWidth": 16, "imageHeight": 12, "shapes": shapes });
    let text = file.to_string();
    vec![text.clone().into_bytes(), format!("\u{feff}{text}").into_bytes()]
}

/// Labels as Python 2 and Python 3 pickle them, and what is no table of labels.
pub(crate) fn label_pickles() -> Vec<Vec<u8>> {
    [
        &b"(dI7\nI2\nsVa.jpg\nI1\ns."[..],
        b"\x80\x02}q\x01(U\x05a.jpgq\x02U\x03oakq\x03K\x07U\x03ashq\x04u.",
        b"\x80\x04\x95\x15\0\0\0\0\0\0\0}\x94(K\x01K\x02\x8c\x05b.jpg\x94K\x03u.",
        b"\x80\x02]q\x00(K\x01K\x02h\x00e.",
        b"cos\nsystem\n(S'true'\ntR.",
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// Tables and lists.
pub(crate) fn tables() -> Vec<Vec<u8>> {
    [
        &b"file,label,group,split,mask\na.png,oak,p1,train,a.png\n\"a.png\",ash, p2,test,\n"[..],
        "\u{feff}file;label\r\na.png;Eiche\r\n".as_bytes(),
        b"a.png 1\nb/c.png 2\n",
        b"file\tlabel\r\n./a.png\t\"o\"\"ak\"\r\n",
        b"file,label\na.png,n\xe9fle\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// A parquet file of two images, with labels and masks.
pub(crate) fn parquet(png: &[u8]) -> Vec<u8> {
    let schema = "message schema { optional group image { optional binary bytes; } optional int64 label;
                  required binary name (STRING); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = vec![];
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let images = [ByteArray::from(png.to_vec()), ByteArray::from(png.to_vec())];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&images, Some(&[2, 2]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[0, 1], Some(&[1, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&["ash".into(), "oak".into()], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

/// An IDX file of two digits, and one of their labels.
pub(crate) fn idx() -> (Vec<u8>, Vec<u8>) {
    let mut images = [0x803_u32, 2, 28, 28].map(u32::to_be_bytes).concat();
    images.extend((0..2 * 784).map(|i| (i % 251) as u8));
    let mut labels = [0x801_u32, 2].map(u32::to_be_bytes).concat();
    labels.extend([3, 9]);
    (images, labels)
}

/// Images of some million pixels, and the bytes that decoding may take for each pixel.
pub(crate) fn large() -> Vec<(Vec<u8>, usize)> {
    let (width, height) = (1200, 1000);
    let grey = ImageBuffer::<Luma<u8>, _>::new(width, height);
    let deep = ImageBuffer::<Rgb<u16>, _>::new(width, height);
    let clear = ImageBuffer::<Rgba<u8>, _>::new(width, height);
    let deep_clear = ImageBuffer::<Rgba<u16>, _>::new(width, height);
    vec![
        (encoded(RgbImage::new(width, height), ImageFormat::Png), 15),
        (encoded(RgbImage::new(width, height), ImageFormat::Jpeg), 15),
        (encoded(DynamicImage::ImageLuma8(grey), ImageFormat::Png), 15),
        (encoded(DynamicImage::ImageRgb16(deep), ImageFormat::Png), 24),
        (encoded(DynamicImage::ImageRgba8(clear), ImageFormat::Png), 32),
        (encoded(DynamicImage::ImageRgba16(deep_clear), ImageFormat::Png), 32),
    ]
}

/// Files of less than a hundred bytes that claim gigabytes.
pub(crate) fn bombs() -> Vec<Vec<u8>> {
    let mut clear = vec![];
    let mut encoder = png::Encoder::new(&mut clear, 14_000, 14_000);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().unwrap().write_chunk(png::chunk::IDAT, &[0x78, 0x9C]).unwrap();
    vec![bitmap(14_000, 14_000), bitmap(60_000, 60_000), clear, b"P5\n14000 14000\n255\n".to_vec()]
}
