//! `alpha`: the images' own alpha channel.
//!
//! It is no source that is registered, for the data sets of files read it with their images; here is what is recognised of it.

use crate::decode;
use crate::error::Result;
use crate::masks::source_kind::{MadeOf, RegisteredMaskSource};
use crate::recognition::{MaskPlace, RecognisedMasks};

/// Images that are looked at.
const LOOKED_AT: usize = 20;

/// The alpha channel, to be recognised.
pub(crate) struct Alpha;

impl RegisteredMaskSource for Alpha {
    fn made_of(&self) -> MadeOf {
        MadeOf::Files
    }

    /// Where more than half of the images that are looked at have an alpha channel.
    fn recognise(&self, place: &MaskPlace<'_>) -> Result<Option<RecognisedMasks>> {
        let step = place.images.len().div_ceil(LOOKED_AT).max(1);
        let looked = place.images.iter().step_by(step).map(|path| decode::has_alpha(path).unwrap_or(false));
        let (alpha, of) = looked.fold((0, 0), |(alpha, of), has| (alpha + usize::from(has), of + 1));
        let why = format!("{alpha} of {of} images that were looked at have an alpha channel");
        let found =
            RecognisedMasks { images: place.images.len() * alpha / of.max(1), files: None, settings: vec![], why };
        Ok((alpha * 2 > of).then_some(found))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use image::{GrayImage, Rgba, RgbaImage};
    use mga_registry::Registry;

    use super::*;
    use crate::masks::MaskSources;

    #[test]
    fn sources_say_which_masks_lie_with_images_and_others_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let images: Vec<PathBuf> = (0..4).map(|number| folder.path().join(format!("images/{number}.png"))).collect();
        std::fs::create_dir(folder.path().join("images")).unwrap();
        for (number, image) in images.iter().enumerate() {
            // One is opaque.
            match number {
                0 => GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * 30 + y) as u8])).save(image).unwrap(),
                _ => RgbaImage::from_fn(8, 8, |x, _| Rgba([(x * 30) as u8, 9, 9, 90])).save(image).unwrap(),
            }
        }
        let place = MaskPlace { folder: folder.path(), images: &images };
        let found = Alpha.recognise(&place).unwrap().unwrap();
        assert_eq!((found.images, found.files), (3, None));
        assert!(found.why.starts_with("3 of 4 images"), "{}", found.why);
        assert_eq!(Alpha.recognise(&MaskPlace { images: &images[..1], ..place }).unwrap(), None);

        let mut registry = Registry::default();
        super::super::register(&mut registry);
        let told = || -> Vec<(String, RecognisedMasks)> {
            let all = registry.all::<MaskSources>().iter();
            all.filter_map(|entry| Some((entry.name.clone(), entry.item.recognise(&place).unwrap()?))).collect()
        };
        assert!(told().is_empty());
        std::fs::create_dir(folder.path().join("masks")).unwrap();
        for number in 0..3 {
            let mask = GrayImage::from_fn(8, 8, |x, _| image::Luma([if x < 4 { 255 } else { 0 }]));
            mask.save(folder.path().join(format!("masks/{number}.png"))).unwrap();
        }
        let told = told();
        assert_eq!(told.len(), 1);
        let (name, found) = &told[0];
        assert_eq!((name.as_str(), found.images), ("folder", 3));
        let files = found.files.as_ref().unwrap();
        assert_eq!((files[2].clone(), files[3].clone()), (Some(folder.path().join("masks/2.png")), None));
    }
}
