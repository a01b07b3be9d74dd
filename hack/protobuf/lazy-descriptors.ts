import type {
	DescEnum,
	DescFile,
	DescMessage,
	FileRegistry,
} from "@bufbuild/protobuf";

/*
 * Of a message type, encoding needs the name alone. The library's generated code makes all that is known of a type as soon as it is imported, and
 * of all files that it names: a third of the time that the server takes to start. So the generated code is changed to make it when it is asked for.
 */

/** The module that changed code imports, as source: descriptors that come into being when somebody asks for more than their name. */
export const LAZY_DESCRIPTORS = `import { enumDesc, fileDesc, messageDesc } from "@bufbuild/protobuf/codegenv2";

/** A class with a getter for each name, which asks what \`make\` makes at the first time. */
function lazyClass(kind, names, make) {
	class Lazy {
		#from;
		#made;
		constructor(typeName, ...from) {
			this.kind = kind;
			if (typeName !== undefined) this.typeName = typeName;
			this.#from = from;
		}
		get made() {
			return (this.#made ??= make(...this.#from));
		}
		toString() {
			return this.made.toString();
		}
	}
	for (const name of names)
		Object.defineProperty(Lazy.prototype, name, {
			get() {
				return this.made[name];
			},
		});
	return Lazy;
}

const LazyFile = lazyClass(
	"file",
	["edition", "name", "dependencies", "enums", "messages", "extensions", "services", "deprecated", "proto"],
	(text, imports) => fileDesc(text, imports()),
);
const LazyMessage = lazyClass(
	"message",
	["name", "file", "parent", "fields", "field", "oneofs", "members", "nestedEnums", "nestedMessages", "nestedExtensions", "deprecated", "proto"],
	(file, path) => messageDesc(file, ...path),
);
const LazyEnum = lazyClass(
	"enum",
	["name", "file", "parent", "open", "values", "value", "sharedPrefix", "deprecated", "proto"],
	(file, path) => enumDesc(file, ...path),
);

export function lazyFile(text, imports) {
	return new LazyFile(undefined, text, imports);
}

export function lazyMessage(typeName, file, ...path) {
	return new LazyMessage(typeName, file, path);
}

export function lazyEnum(typeName, file, ...path) {
	return new LazyEnum(typeName, file, path);
}
`;

/**
 * The code that protoc-gen-es makes for a file (`*_pb.js`), with descriptors that are made when they are asked for.
 *
 * Fails when: the code does not look as expected.
 */
export function withLazyDescriptors(
	code: string,
	proto: string,
	registry: FileRegistry,
): string {
	const file = registry.getFile(proto);
	if (file === undefined) throw new Error(`${proto} has no descriptor`);
	const up = "../".repeat(proto.split("/").length - 1) || "./";
	let count = 0;
	const counting = (text: string): string => {
		count += 1;
		return text;
	};
	const changed = code
		.replace(
			/^import \{ (.*) \} from "@bufbuild\/protobuf\/codegenv2";$/m,
			(_, names: string) =>
				counting(
					[
						`import { lazyEnum, lazyFile, lazyMessage } from "${up}lazy-descriptors.js";`,
						...(names.includes("serviceDesc")
							? ['import { serviceDesc } from "@bufbuild/protobuf/codegenv2";']
							: []),
					].join("\n"),
				),
		)
		.replace(
			/^ {2}fileDesc\(("[^"]*")(?:, (\[.*\]))?\);$/m,
			(_, text: string, imports = "[]") =>
				counting(`  lazyFile(${text}, () => ${imports});`),
		)
		.replaceAll(
			/^ {2}messageDesc\((\w+), ([\d, ]+)\);$/gm,
			(_, symbol: string, path: string) =>
				counting(
					`  lazyMessage(${JSON.stringify(messageAt(file, path).typeName)}, ${symbol}, ${path});`,
				),
		)
		.replaceAll(
			/^ {2}enumDesc\((\w+), ([\d, ]+)\);(?:[^;]*?tsEnum\(\w+\);)?/gm,
			(whole, symbol: string, path: string) => {
				const found = enumAt(file, path);
				const lazy = `  lazyEnum(${JSON.stringify(found.typeName)}, ${symbol}, ${path});`;
				const rest = whole.slice(whole.indexOf(";") + 1);
				return counting(
					lazy + rest.replace(/ {2}tsEnum\(\w+\)/, `  (${literalOf(found)})`),
				);
			},
		);
	if (
		count === 0 ||
		/\b(fileDesc|messageDesc|enumDesc|tsEnum)\(/.test(changed)
	) {
		throw new Error(
			`${proto}: protoc-gen-es writes other code than hack/protobuf/lazy-descriptors.ts expects`,
		);
	}
	return changed;
}

function messageAt(file: DescFile, path: string): DescMessage {
	const [first = 0, ...rest] = path.split(", ").map(Number);
	const found = rest.reduce(
		(at, index) => at?.nestedMessages[index],
		file.messages[first],
	);
	if (found === undefined) throw new Error(`${file.name} has no ${path}`);
	return found;
}

function enumAt(file: DescFile, path: string): DescEnum {
	const indexes = path.split(", ");
	const last = Number(indexes.pop());
	const found =
		indexes.length === 0
			? file.enums[last]
			: messageAt(file, indexes.join(", ")).nestedEnums[last];
	if (found === undefined) throw new Error(`${file.name} has no ${path}`);
	return found;
}

/** What TypeScript makes of an enum: names to numbers, and numbers to names. */
function literalOf({ values }: DescEnum): string {
	const entries = values.flatMap(({ localName, number }) => [
		`${JSON.stringify(localName)}: ${number}`,
		`${JSON.stringify(String(number))}: ${JSON.stringify(localName)}`,
	]);
	return `{ ${entries.join(", ")} }`;
}
