//! The names a pickle may ask for. Those that tensors need are known; what any other would build is left out; a few that
//! run programs are refused.

use std::fmt;

use mga_core::Result;
use safetensors::Dtype;

use super::refusal::refused;

/// Number types of PyTorch's storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// The type as safetensors knows it; `None`: it has none for these numbers.
    pub(super) dtype: Option<Dtype>,
    /// Bytes of one number.
    pub(super) size: usize,
}

/// A name that is known, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`, `dict`
    Dict,
    /// `collections.defaultdict`, whose first argument makes its values.
    DefaultDict,
    /// `set`, `frozenset`
    Set,
    /// `_codecs.encode`: bytes, as protocol 2 writes them.
    Bytes,
    /// `torch.Size`, a tuple.
    Size,
    /// `torch._utils._rebuild_tensor_v2` and its likes of all ages.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, which names its number type.
    RebuildTyped,
    /// `torch._utils._rebuild_parameter`, and the classes that PyTorch before 0.4 named in its place.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: another of these, with what a subclass adds.
    RebuildFromType,
    /// Tensors whose numbers do not lie in a storage as they are.
    RebuildOdd(&'static str),
    /// `torch.FloatStorage` and the like.
    Storage(Element),
    /// `torch.float32` and the like.
    Type(Element),
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage(_) | Self::Type(_) => "a number type",
            _ => "a name",
        })
    }
}

/// Storages by name, with their numbers; and as `torch.NAME`, where a number type alone is named.
const STORAGES: [(&str, &str, Option<Dtype>, usize); 17] = [
    ("FloatStorage", "float32", Some(Dtype::F32), 4),
    ("DoubleStorage", "float64", Some(Dtype::F64), 8),
    ("HalfStorage", "float16", Some(Dtype::F16), 2),
    ("BFloat16Storage", "bfloat16", Some(Dtype::BF16), 2),
    ("LongStorage", "int64", Some(Dtype::I64), 8),
    ("IntStorage", "int32", Some(Dtype::I32), 4),
    ("ShortStorage", "int16", Some(Dtype::I16), 2),
    ("CharStorage", "int8", Some(Dtype::I8), 1),
    ("ByteStorage", "uint8", Some(Dtype::U8), 1),
    ("BoolStorage", "bool", Some(Dtype::BOOL), 1),
    ("ComplexFloatStorage", "complex64", Some(Dtype::C64), 8),
    ("ComplexDoubleStorage", "complex128", None, 16),
    ("QInt8Storage", "qint8", None, 1),
    ("QUInt8Storage", "quint8", None, 1),
    ("QInt32Storage", "qint32", None, 4),
    ("QUInt4x2Storage", "quint4x2", None, 1),
    ("QUInt2x4Storage", "quint2x4", None, 1),
];

/// Number types that have no storage of their own.
const TYPES: [(&str, Option<Dtype>, usize); 8] = [
    ("uint16", Some(Dtype::U16), 2),
    ("uint32", Some(Dtype::U32), 4),
    ("uint64", Some(Dtype::U64), 8),
    ("float8_e4m3fn", Some(Dtype::F8_E4M3), 1),
    ("float8_e5m2", Some(Dtype::F8_E5M2), 1),
    ("float8_e4m3fnuz", Some(Dtype::F8_E4M3FNUZ), 1),
    ("float8_e5m2fnuz", Some(Dtype::F8_E5M2FNUZ), 1),
    ("float8_e8m0fnu", Some(Dtype::F8_E8M0), 1),
];

/// Modules that run programs, change files or open connections. No weights need them.
const DANGEROUS: [&str; 13] = [
    "posix",
    "nt",
    "os",
    "sys",
    "subprocess",
    "socket",
    "shutil",
    "importlib",
    "runpy",
    "pty",
    "ctypes",
    "webbrowser",
    "marshal",
];

/// Functions of Python itself that do.
const DANGEROUS_BUILTINS: [&str; 5] = ["eval", "exec", "compile", "open", "__import__"];

/// What `module.name` stands for; `None`: something that is not known, and left out.
///
/// # Errors
/// It runs programs: whoever wrote the file meant to.
pub(super) fn lookup(module: &str, name: &str) -> Result<Option<Global>> {
    let outer = module.split('.').next().unwrap_or(module);
    let builtin = matches!(module, "builtins" | "__builtin__");
    if DANGEROUS.contains(&outer) || builtin && DANGEROUS_BUILTINS.contains(&name) {
        return Err(refused(format!(
            "asks Python to call `{}`, which no weights need: a program may be hidden in this file. Nothing of it was run; \
             do not load it in Python, and get the weights from a source you trust",
            shown(module, name)
        )));
    }
    Ok(match (module, name) {
        ("collections", "OrderedDict" | "Counter") => Some(Global::Dict),
        ("builtins" | "__builtin__", "dict") => Some(Global::Dict),
        ("collections", "defaultdict") => Some(Global::DefaultDict),
        ("builtins" | "__builtin__", "set" | "frozenset") => Some(Global::Set),
        ("builtins" | "__builtin__", "bytes" | "bytearray") | ("_codecs", "encode") => Some(Global::Bytes),
        ("torch", "Size") => Some(Global::Size),
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Some(Global::RebuildTensor),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTyped),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
        | ("torch.nn.parameter", "Parameter")
        | ("torch.autograd.variable", "Variable") => Some(Global::RebuildParameter),
        ("torch._tensor", "_rebuild_from_type_v2") => Some(Global::RebuildFromType),
        ("torch._utils", "_rebuild_qtensor") => Some(Global::RebuildOdd("a quantised tensor")),
        ("torch._utils", "_rebuild_sparse_tensor") => Some(Global::RebuildOdd("a sparse tensor")),
        ("torch._utils", "_rebuild_nested_tensor") => Some(Global::RebuildOdd("a nested tensor")),
        ("torch._utils", "_rebuild_meta_tensor_no_storage") => {
            Some(Global::RebuildOdd("a tensor without numbers (of the meta device)"))
        }
        ("torch._utils", "_rebuild_device_tensor_from_numpy" | "_rebuild_device_tensor_from_cpu_tensor") => {
            Some(Global::RebuildOdd("a tensor of another kind of device"))
        }
        ("torch._utils", "_rebuild_wrapper_subclass") => Some(Global::RebuildOdd("a tensor of a class of its own")),
        ("torch.storage", "UntypedStorage") => Some(Global::Storage(Element { dtype: Some(Dtype::U8), size: 1 })),
        ("torch" | "torch.cuda", name) => number_type(name),
        _ => None,
    })
}

fn number_type(name: &str) -> Option<Global> {
    let storage = STORAGES.iter().find(|known| known.0 == name);
    let storage = storage.map(|&(_, _, dtype, size)| Global::Storage(Element { dtype, size }));
    storage.or_else(|| {
        let of_storage = STORAGES.iter().map(|&(_, name, dtype, size)| (name, dtype, size));
        let (_, dtype, size) = of_storage.chain(TYPES).find(|known| known.0 == name)?;
        Some(Global::Type(Element { dtype, size }))
    })
}

/// `module.name` out of a file, fit to be printed.
pub(super) fn shown(module: &str, name: &str) -> String {
    let short = |text: &str| text.chars().take(80).collect::<String>().escape_debug().to_string();
    format!("{}.{}", short(module), short(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tensors_have_names() {
        assert_eq!(lookup("collections", "OrderedDict").unwrap(), Some(Global::Dict));
        let half = Element { dtype: Some(Dtype::F16), size: 2 };
        assert_eq!(lookup("torch", "HalfStorage").unwrap(), Some(Global::Storage(half)));
        assert_eq!(lookup("torch", "float16").unwrap(), Some(Global::Type(half)));
        for (module, name) in [("argparse", "Namespace"), ("torch", "load"), ("numpy.core.multiarray", "scalar")] {
            assert_eq!(lookup(module, name).unwrap(), None, "{module}.{name}");
        }
    }

    #[test]
    fn what_runs_programs_is_refused_by_name() {
        for (module, name) in [("posix", "system"), ("builtins", "eval"), ("os.path", "join"), ("__builtin__", "exec")]
        {
            let message = lookup(module, name).unwrap_err().to_string();
            assert!(message.contains(&format!("`{module}.{name}`")), "{message}");
        }
        let shown = shown("a\u{1b}[2J", &"x".repeat(500));
        assert!(!shown.contains('\u{1b}') && shown.len() < 300, "{shown}");
    }
}
