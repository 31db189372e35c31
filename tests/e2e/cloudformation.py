"""What the tests of deploy/ need of CloudFormation: templates as Python values, and their functions for one stack."""
import yaml


class Loader(yaml.SafeLoader):
    """Short forms (!Ref, !Sub ...) become the long ones."""


def short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Loader.add_multi_constructor("!", short_form)


def load(path):
    return yaml.load(path.read_text(), Loader)


class Stack:
    """Resolves values of a template: parameters, attributes of resources and imports as the caller gives them."""

    def __init__(self, template, parameters, attributes, imports):
        self.template, self.attributes, self.imports = template, attributes, imports
        self.parameters = {name: p.get("Default") for name, p in template["Parameters"].items()}
        self.parameters.update({"AWS::Region": "eu-central-1", "AWS::StackName": "kellet"}, **parameters)

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, v):
        if isinstance(v, list):
            return [self.resolve(x) for x in v]
        if not isinstance(v, dict):
            return v
        if len(v) == 1:
            key, argument = next(iter(v.items()))
            if v == {"Ref": "AWS::NoValue"}:
                return None
            if key == "Ref":
                return self.parameters[argument] if argument in self.parameters else argument  # a resource: its name
            if key == "Condition":
                return self.condition(argument)
            if key == "Fn::GetAtt":
                return self.attributes[".".join(argument)]
            if key == "Fn::If":
                return self.resolve(argument[1 if self.condition(argument[0]) else 2])
            if key == "Fn::Equals":
                return self.resolve(argument[0]) == self.resolve(argument[1])
            if key == "Fn::Not":
                return not self.resolve(argument[0])
            if key == "Fn::ImportValue":
                return self.imports[self.resolve(argument)]
            if key == "Fn::Sub":
                text, own = argument if isinstance(argument, list) else (argument, {})
                for name, value in {**self.parameters, **{k: self.resolve(x) for k, x in own.items()}}.items():
                    text = text.replace("${%s}" % name, str(value))
                assert "${" not in text, text
                return text
        return {k: self.resolve(x) for k, x in v.items()}
