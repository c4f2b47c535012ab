//! The data sets, one a file.



pub mod leaves;
