//! Templates with those that they include put in their places, so that rendering does not copy all
//! values for each of them, as an inclusion does.

use handlebars::template::{DecoratorTemplate, HelperTemplate, TemplateElement as Element};
use handlebars::{Handlebars, Template};

/// All templates, with what they include where the values at hand are the root's. Each keeps its name,
/// so that an error still names the file that it stands in. To be asked only where there is no
/// [`circle`].
pub(super) fn spliced(written: &Handlebars<'static>) -> Handlebars<'static> {
    let mut whole = written.clone();
    let frame = Template::compile("{{#if true}}{{/if}}").unwrap_or_default();
    let Some(Element::HelperBlock(frame)) = frame.elements.first() else {
        return whole;
    };
    for (name, template) in written.get_templates() {
        let mut included = Vec::new();
        list(template, &mut included);
        if !included.is_empty() {
            let mut template = template.clone();
            splice(&mut template, written, frame);
            whole.register_template(name, template);
        }
    }
    whole
}

fn splice(template: &mut Template, written: &Handlebars<'_>, frame: &HelperTemplate) {
    for element in &mut template.elements {
        match element {
            Element::HelperBlock(block) if keeps_values(block) => {
                let arms = [&mut block.template, &mut block.inverse];
                for arm in arms.into_iter().flatten() {
                    splice(arm, written, frame);
                }
            }
            Element::PartialExpression(include) if is_bare(include) => {
                let name = include.name.as_name();
                let Some(included) = name.and_then(|name| written.get_template(name)) else {
                    continue;
                };
                let mut included = included.clone();
                splice(&mut included, written, frame);
                let mut place = frame.clone();
                place.template = Some(included);
                *element = Element::HelperBlock(Box::new(place));
            }
            _ => {}
        }
    }
}

/// Not so in `each` and `with`: there an inclusion begins at another value.
fn keeps_values(block: &HelperTemplate) -> bool {
    matches!(block.name.as_name(), Some("if" | "unless"))
}

/// Nothing is handed over, and no indentation is asked for.
fn is_bare(include: &DecoratorTemplate) -> bool {
    include.params.is_empty() && include.hash.is_empty() && include.indent.is_none()
}

/// How a template comes to include itself: it, those between, and it again. Rendering would not end.
pub(super) fn circle(written: &Handlebars<'_>, name: &str) -> Option<Vec<String>> {
    go_round(written, &mut vec![name.to_owned()])
}

fn go_round(written: &Handlebars<'_>, way: &mut Vec<String>) -> Option<Vec<String>> {
    let mut included = Vec::new();
    list(written.get_template(way.last()?)?, &mut included);
    for name in included {
        way.push(name.to_owned());
        if way.first() == way.last() {
            return Some(way.clone());
        }
        // A circle that it only leads to is told of a template within it.
        if !way[..way.len() - 1].contains(&way[way.len() - 1])
            && let Some(found) = go_round(written, way)
        {
            return Some(found);
        }
        way.pop();
    }
    None
}

fn list<'t>(template: &'t Template, included: &mut Vec<&'t str>) {
    for element in &template.elements {
        match element {
            Element::HelperBlock(block) => {
                let arms = [&block.template, &block.inverse];
                arms.into_iter()
                    .flatten()
                    .for_each(|arm| list(arm, included));
            }
            Element::PartialExpression(one) | Element::PartialBlock(one) => {
                included.extend(one.name.as_name());
                one.template.iter().for_each(|arm| list(arm, included));
            }
            _ => {}
        }
    }
}
