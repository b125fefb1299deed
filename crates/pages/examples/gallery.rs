//! Writes every page as a file, to look at a brand: `cargo run --example gallery -- OUTPUT [LANGUAGE [FOLDER [DOMAIN]]]`.

#[path = "../tests/pages/samples.rs"]
mod samples;

use std::error::Error;
use std::fs;
use std::path::Path;

use sealstone_pages::{Brands, Form, Setting, render};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let output = Path::new(argument(0).ok_or("where to?")?);
    let brands = match argument(2) {
        Some(folder) => Brands::load(Path::new(folder))?,
        None => Brands::plain(),
    };
    let brand = brands.of(argument(3).unwrap_or("demo"));
    let setting = Setting {
        brand,
        texts: brand.texts(&[argument(1).unwrap_or_default()]),
        site: "Example Cloud",
        issuer_path: ".",
        form: &Form::default(),
    };
    fs::create_dir_all(output.join("assets"))?;
    for asset in brand.assets() {
        fs::write(output.join("assets").join(asset.name()), asset.content())?;
    }
    for (name, page) in samples::samples() {
        fs::write(output.join(format!("{name}.html")), render(&page, &setting)?.html)?;
    }
    Ok(())
}
