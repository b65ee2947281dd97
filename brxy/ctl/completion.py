"""
C{brxy completion}: scripts that complete the words of C{brxy} in a shell.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from brxy.ctl.commands import COMMANDS
from brxy.ctl.exitstatus import DONE
from brxy.ctl.table import Argument, Command
from brxy.program.fields import FLAG, Setting, Table

__all__ = ["SCRIPTS", "show"]

# Prints the routes of the edge, one a line; nothing if there is no edge.
_ROUTES = "brxy routes --names 2>/dev/null"

_HELP = Argument("--help", "Print the help of this command and exit.", "h")

_COMPLETED = {"FILE": "file", "FOLDER": "folder"}


def show(given: Namespace) -> int:
    """
    Print the script for a shell.
    """
    print("\n".join(SCRIPTS[given.shell](COMMANDS)))
    return DONE


# What can be completed


def _tableOf(program: str) -> Table:
    """
    The options of a program, C{edge} or C{node}.
    """
    if program == "edge":
        from brxy.edge.config.fields import FIELDS as EDGE

        return EDGE
    from brxy.node.fields import FIELDS as NODE

    return NODE


def _argumentsOf(command: Command) -> Sequence[Argument]:
    """
    All arguments of a command.
    """
    if command.options_of:
        return list(_fromTable(_tableOf(command.options_of)))
    if command.is_passed_on:
        return command.arguments
    return [*command.arguments, _HELP]


def _fromTable(table: Table) -> Iterable[Argument]:
    for each in table.options():
        yield Argument(
            f"--{each.name}",
            each.help,
            short=each.short or "",
            takes="" if each.kind is FLAG else each.kind.placeholder,
            choices=_choices(each),
            completes=_COMPLETED.get(each.kind.placeholder, ""),
        )


def _choices(setting: Setting) -> Sequence[str]:
    """
    The values of a setting, if its placeholder lists them: C{epoll|reactor}.
    """
    values = setting.kind.placeholder.split("|")
    return values if len(values) > 1 and all(each.islower() for each in values) else ()


def _names(argument: Argument) -> list[str]:
    return [argument.name, f"-{argument.short}"] if argument.short else [argument.name]


def _options(command: Command) -> list[Argument]:
    return [each for each in _argumentsOf(command) if each.is_option]


def _positionals(command: Command) -> list[Argument]:
    return [each for each in _argumentsOf(command) if not each.is_option]


# bash


def _bash(commands: Sequence[Command]) -> Iterator[str]:
    names = " ".join(each.name for each in commands)
    yield "# Completes the words of brxy in bash: brxy completion bash"
    yield "_brxy() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}"
    yield "    local command=${COMP_WORDS[1]} options="
    yield "    COMPREPLY=()"
    yield '    if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f'        COMPREPLY=($(compgen -W {quote(names + " --help --version")} -- "$word"))'
    yield "        return"
    yield "    fi"
    yield "    case $command$before in"
    for each in commands:
        yield from _bashValues(each)
    yield "    esac"
    yield "    case $command in"
    for each in commands:
        yield from _bashWords(each)
    yield "    esac"
    yield "    case $word in"
    yield '        -*) COMPREPLY=($(compgen -W "$options" -- "$word"));;'
    yield "    esac"
    yield "}"
    # Without an answer of ours, bash completes the names of files.
    yield "complete -o default -F _brxy brxy"


def _bashValues(command: Command) -> Iterator[str]:
    for each in _options(command):
        pattern = "|".join(f"{command.name}{name}" for name in _names(each))
        if each.choices or each.completes in ("folder", "route"):
            yield f"        {pattern}) {_bashReply(each)}; return;;"
        elif each.takes:
            yield f"        {pattern}) return;;"


def _bashWords(command: Command) -> Iterator[str]:
    options = " ".join(name for each in _options(command) for name in _names(each))
    yield f"        {command.name})"
    yield f"            options={quote(options)}"
    for each in _positionals(command):
        if each.choices or each.completes == "route":
            yield f"            case $word in -*) ;; *) {_bashReply(each)};; esac"
    yield "            ;;"


def _bashReply(argument: Argument) -> str:
    kind = f"-W {quote(' '.join(argument.choices))}"
    if argument.completes == "folder":
        kind = "-d"
    elif argument.completes == "route":
        kind = f'-W "$({_ROUTES})"'
    return f'COMPREPLY=($(compgen {kind} -- "$word"))'


# zsh


def _zsh(commands: Sequence[Command]) -> Iterator[str]:
    yield "#compdef brxy"
    yield "# Completes the words of brxy in zsh: brxy completion zsh"
    yield f'_brxy_routes() {{ compadd -- ${{(f)"$({_ROUTES})"}} }}'
    yield "_brxy() {"
    yield "    local -a commands"
    yield "    commands=("
    for each in commands:
        yield f"        {quote(f'{each.name}:{each.help}')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe -t commands command commands"
    yield "        return"
    yield "    fi"
    yield "    shift words"
    yield "    (( CURRENT-- ))"
    yield "    case $words[1] in"
    for each in commands:
        yield f"        {each.name})"
        yield "            _arguments -S \\"
        yield from (f"                {quote(line)} \\" for line in _zshArguments(each))
        yield "            ;;"
    yield "    esac"
    yield "}"
    # It is a file in a folder of fpath, or read by source.
    yield 'if [[ $funcstack[1] == _brxy ]]; then _brxy "$@"; else compdef _brxy brxy; fi'


def _zshArguments(command: Command) -> Iterator[str]:
    for each in _options(command):
        names = _names(each)
        # Some may be repeated; the shell need not know which.
        for name in names:
            yield f"*{name}[{_zshText(each.help)}]{_zshValue(each) if each.takes else ''}"
    for each in _positionals(command):
        yield f"*{_zshValue(each)}"
    if command.options_of:
        yield "*::command: _normal"


def _zshValue(argument: Argument) -> str:
    shown = _zshText(argument.takes or argument.name)
    if argument.choices:
        return f":{shown}:({' '.join(argument.choices)})"
    actions = {"file": "_files", "folder": "_files -/", "route": "_brxy_routes"}
    return f":{shown}:{actions.get(argument.completes, ' ')}"


def _zshText(text: str) -> str:
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return text


# fish


def _fish(commands: Sequence[Command]) -> Iterator[str]:
    yield "# Completes the words of brxy in fish: brxy completion fish"
    for command in commands:
        yield (
            "complete -c brxy -f -n __fish_use_subcommand"
            f" -a {_fishText(command.name)} -d {_fishText(command.help)}"
        )
    for command in commands:
        chosen = f"complete -c brxy -n '__fish_seen_subcommand_from {command.name}'"
        for each in _options(command):
            short = f" -s {each.short}" if each.short else ""
            value = _fishValue(each) if each.takes else ""
            yield f"{chosen} -l {each.name[2:]}{short}{value} -d {_fishText(each.help)}"
        for each in _positionals(command):
            yield f"{chosen}{_fishValue(each)}"


def _fishValue(argument: Argument) -> str:
    if argument.choices:
        return f" -x -a {_fishText(' '.join(argument.choices))}"
    if argument.completes == "route":
        return f" -x -a {_fishText(f'({_ROUTES})')}"
    if argument.completes == "folder":
        return " -x -a '(__fish_complete_directories)'"
    return " -r -F" if argument.completes == "file" else " -x"


def _fishText(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


#: Makes the lines of the script for each shell.
SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
