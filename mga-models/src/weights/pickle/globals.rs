//! The names a pickle may ask for. Everything else is refused, by name.

use mga_core::Result;
use safetensors::Dtype;

use super::refused;

/// Number types of PyTorch's storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) dtype: Dtype,
    /// Bytes of one number.
    pub(super) size: usize,
}

/// A name that is known, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch.Size`, a tuple.
    Size,
    /// `torch._utils._rebuild_tensor_v2`
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`
    RebuildParameter,
    /// `torch.FloatStorage` and the like.
    Storage(Element),
}

const STORAGES: [(&str, Dtype, usize); 10] = [
    ("FloatStorage", Dtype::F32, 4),
    ("DoubleStorage", Dtype::F64, 8),
    ("HalfStorage", Dtype::F16, 2),
    ("BFloat16Storage", Dtype::BF16, 2),
    ("LongStorage", Dtype::I64, 8),
    ("IntStorage", Dtype::I32, 4),
    ("ShortStorage", Dtype::I16, 2),
    ("CharStorage", Dtype::I8, 1),
    ("ByteStorage", Dtype::U8, 1),
    ("BoolStorage", Dtype::BOOL, 1),
];

/// What `module.name` stands for.
///
/// # Errors
/// It is not one of the names that tensors and plain values need; the error says which it is.
pub(super) fn lookup(module: &str, name: &str) -> Result<Global> {
    let known = match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch", "Size") => Some(Global::Size),
        ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
        ("torch", storage) => STORAGES
            .iter()
            .find(|(known, ..)| *known == storage)
            .map(|&(_, dtype, size)| Global::Storage(Element { dtype, size })),
        _ => None,
    };
    known.ok_or_else(|| {
        refused(format!(
            "asks for `{}.{}`, which is neither a tensor nor a plain value, so it was not read (nothing of it was run); \
             if you trust the file, save the state dict alone in Python: torch.save(model.state_dict(), ...)",
            shown(module),
            shown(name)
        ))
    })
}

/// A name out of a file, fit to be printed.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(80).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tensors_have_names() {
        assert_eq!(lookup("collections", "OrderedDict").unwrap(), Global::OrderedDict);
        let half = Element { dtype: Dtype::F16, size: 2 };
        assert_eq!(lookup("torch", "HalfStorage").unwrap(), Global::Storage(half));
        for (module, name) in [("posix", "system"), ("torch", "load"), ("builtins", "eval"), ("torch", "hub.load")] {
            let message = lookup(module, name).unwrap_err().to_string();
            assert!(message.contains(&format!("`{module}.{name}`")), "{message}");
        }
        let message = lookup("a\u{1b}[2J", &"x".repeat(500)).unwrap_err().to_string();
        assert!(!message.contains('\u{1b}') && message.len() < 500, "{message}");
    }
}
