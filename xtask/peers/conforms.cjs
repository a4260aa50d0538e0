// Whether JSON is what an official SDK's own type declarations say, by TypeScript's compiler.
//
// Its arguments are the folder node_modules and the files below it that are asked about. Each line of its input is a list of
// {file, type, value, form}; it answers with a line that has for each the list of what is wrong: fields that the type does
// not know, values of another type or outside an enumeration, and fields that are never null there and are missing. A `form`
// has texts for numbers and truth values.

const path = require("path");
const readline = require("readline");

const [modules, ...declarations] = process.argv.slice(2);
const ts = require(path.join(modules, "typescript"));
const files = declarations.map((file) => path.join(modules, file));
const options = { strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, types: [] };
options.module = ts.ModuleKind.Node16;
options.moduleResolution = ts.ModuleResolutionKind.Node16;
const program = ts.createProgram(files, options);
const checker = program.getTypeChecker();

// Interfaces that a file does not export count too: what a method takes is often one. Those in a namespace have its name
// before theirs.
function typeOf(file, name) {
  const source = program.getSourceFile(path.join(modules, file));
  if (!source) throw new Error(`${file} is not there`);
  const named = (node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node);
  let found;
  const look = (node, above) => {
    if (ts.isModuleDeclaration(node) && node.body) {
      ts.forEachChild(node.body, (inner) => look(inner, `${above}${node.name.text}.`));
    } else if (named(node) && node.name && `${above}${node.name.text}` === name) {
      found = checker.getTypeAtLocation(node.name);
    }
  };
  ts.forEachChild(source, (node) => look(node, ""));
  if (!found) throw new Error(`${file} declares no ${name}`);
  return found;
}

function has(type, flag) {
  return (type.flags & flag) !== 0;
}

function canBeNull(type) {
  const flag = ts.TypeFlags.Null | ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Any;
  return has(type, flag) || (type.isUnion() && type.types.some(canBeNull));
}

function problems(value, type, at, form) {
  const F = ts.TypeFlags;
  const wrong = (expected) => [`${at}: ${JSON.stringify(value)} is not ${expected}`];
  if (has(type, F.Any | F.Unknown)) return [];
  if (type.isUnion()) return ofUnion(value, type, at, form);
  if (value === null) return canBeNull(type) ? [] : wrong("ever null");
  if (type.isStringLiteral() || type.isNumberLiteral()) {
    return String(type.value) === String(value) ? [] : wrong(checker.typeToString(type));
  }
  if (has(type, F.BooleanLiteral)) {
    const same = form ? checker.typeToString(type) === value : checker.typeToString(type) === String(value);
    return same && (form || typeof value === "boolean") ? [] : wrong("that");
  }
  if (has(type, F.StringLike)) return typeof value === "string" ? [] : wrong("a text");
  if (has(type, F.NumberLike)) {
    const number = form ? /^-?\d+$/.test(value) : typeof value === "number";
    return number ? [] : wrong("a number");
  }
  if (checker.isArrayType(type)) {
    if (!Array.isArray(value)) return wrong("a list");
    const [item] = checker.getTypeArguments(type);
    return value.flatMap((one, index) => problems(one, item, `${at}[${index}]`, form));
  }
  if (type.symbol && type.symbol.name === "Date") {
    return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? [] : wrong("a time");
  }
  // What is a text and something else stands beside an enumeration: values to come. What we know has to be in it.
  if (!has(type, F.Object) && !type.isIntersection()) return wrong(checker.typeToString(type));
  if (typeof value !== "object" || Array.isArray(value)) return wrong("an object");
  return ofObject(value, type, at, form);
}

// What fits one of them fits; of what fits none, the nearest is told.
function ofUnion(value, type, at, form) {
  const all = type.types.map((one) => problems(value, one, at, form));
  if (all.some((found) => found.length === 0)) return [];
  const deep = all.filter((found) => found.some((text) => !text.startsWith(`${at}: `)));
  if (deep.length > 0) return deep.sort((a, b) => a.length - b.length)[0];
  return [`${at}: ${JSON.stringify(value)} is not one of ${checker.typeToString(type, undefined, ts.TypeFormatFlags.None)}`];
}

function ofObject(value, type, at, form) {
  const found = [];
  const known = new Map(checker.getPropertiesOfType(type).map((property) => [property.name, property]));
  const others = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  for (const [key, inner] of Object.entries(value)) {
    const here = at ? `${at}.${key}` : key;
    if (known.has(key)) found.push(...problems(inner, checker.getTypeOfSymbol(known.get(key)), here, form));
    else if (others) found.push(...problems(inner, others, here, form));
    else found.push(`${here}: no such field`);
  }
  for (const [key, property] of known) {
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    if (!optional && !(key in value) && !canBeNull(checker.getTypeOfSymbol(property))) {
      found.push(`${at ? `${at}.` : ""}${key}: missing`);
    }
  }
  return found;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  const answers = asked.map((one) => problems(one.value, typeOf(one.file, one.type), "", one.form === true));
  process.stdout.write(`${JSON.stringify(answers)}\n`);
});
