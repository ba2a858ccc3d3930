//! The procedural macros of [glassnet](https://docs.rs/glassnet), which re-exports them. They are
//! of no use without it, and their version is always its.

mod quote;
mod select;
mod test;

use proc_macro::TokenStream;

/// See `glassnet::test`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(arguments, item)
}

/// What `glassnet::select!` expands to, once it has told its branches apart.
#[doc(hidden)]
#[proc_macro]
pub fn expand_select(input: TokenStream) -> TokenStream {
    select::expand(input)
}
