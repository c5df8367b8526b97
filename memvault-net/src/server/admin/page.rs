//! The page for people at `/`: files that are part of the program, so that it needs nothing from elsewhere.

use super::http::Response;

/// Where its files are.
pub(super) const PATHS: [&str; 4] = ["/", "/page.css", "/page.js", "/icon.svg"];

const HTML: &str = include_str!("page/index.html");
const STYLE: &str = concat!(
    include_str!("page/colours.css"),
    include_str!("page/layout.css"),
);
const ICON: &str = include_str!("page/icon.svg");
/// One script: what a part uses stands in one before it, but for functions that are only called later.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/dom.js"),
    include_str!("page/words.js"),
    include_str!("page/theme.js"),
    include_str!("page/chart.js"),
    include_str!("page/charts.js"),
    include_str!("page/ring.js"),
    include_str!("page/nodes.js"),
    include_str!("page/events.js"),
    include_str!("page/where.js"),
    include_str!("page/main.js"),
);

/// One of its files: the page itself, unless the path is that of another.
pub(super) fn file(path: &str) -> Response {
    match path {
        "/page.css" => Response::new("text/css; charset=utf-8", STYLE),
        "/page.js" => Response::new("text/javascript; charset=utf-8", SCRIPT),
        "/icon.svg" => Response::new("image/svg+xml", ICON),
        _ => Response::new("text/html; charset=utf-8", HTML),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_one_piece_and_needs_nothing_from_elsewhere() {
        for (name, text) in [
            ("html", HTML),
            ("css", STYLE),
            ("js", SCRIPT),
            ("svg", ICON),
        ] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http:", "https:", "//cdn", "@import", "style=\"", "onclick"] {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
        }
        // Whatever it refers to is here.
        for part in HTML.split('"').filter(|part| part.starts_with('/')) {
            assert!(PATHS.contains(&part) || part == "/api/cluster", "{part}");
        }
    }

    #[test]
    fn what_others_say_never_becomes_markup() {
        for way in [
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "outerHTML =",
        ] {
            assert!(!SCRIPT.contains(way), "{way}");
        }
    }
}
