#![doc = include_str!("guide.md")]

#[doc = include_str!("guide/ten_minutes.md")]
pub mod ten_minutes {}
