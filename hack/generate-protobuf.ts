import { spawnSync } from "node:child_process";
import {
	mkdir,
	mkdtemp,
	readFile,
	rename,
	rm,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
	create,
	createFileRegistry,
	type DescMessage,
	type FileRegistry,
	fromBinary,
	toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	CodeGeneratorResponseSchema,
	FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import {
	ENCODER_DECLARATIONS,
	encoderSource,
} from "./protobuf/encoder-source.ts";
import {
	LAZY_DESCRIPTORS,
	withLazyDescriptors,
} from "./protobuf/lazy-descriptors.ts";
import { protoClosure } from "./protobuf/proto-closure.ts";
import { stripOptions } from "./protobuf/strip-options.ts";
import { validateOverlay } from "./protobuf/validate-overlay.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
const modules = join(repository, "node_modules");
const shipped = join(modules, "@grpc/grpc-js-xds/deps");
const output = join(repository, "src/gen/envoy");

interface GeneratedFile {
	/** Path below the output folder. */
	readonly name: string;
	readonly content: string;
}

/**
 * Generates the code of the Envoy API into `src/gen/envoy/`, replacing what is there: message types and descriptors (`*_pb.js`, `*_pb.d.ts`),
 * the encoders (`encoders.js`) and the list of all files (`files.js`). Reads `hack/protobuf/roots.txt` and the proto files inside
 * `node_modules`; needs no network. The same input gives the same files. Throws when protoc or a plugin refuses the input, with its message.
 */
export async function generateProtobuf(): Promise<void> {
	const scratch = await mkdtemp(join(tmpdir(), "lateen-protobuf-"));
	try {
		const request = await readDescriptors(scratch);
		await replaceOutput([
			...runTypesPlugin(request),
			...encoders(request),
			...fileList(request),
		]);
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

/** Lets protoc parse the roots and all they import, and drops what the generated code does not need. */
async function readDescriptors(scratch: string): Promise<CodeGeneratorRequest> {
	const overlay = join(scratch, "overlay");
	await mkdir(join(overlay, "validate"), { recursive: true });
	await writeFile(
		join(overlay, "validate/validate.proto"),
		validateOverlay(
			await readFile(
				join(shipped, "protoc-gen-validate/validate/validate.proto"),
				"utf8",
			),
		),
	);
	const includeDirs = [
		overlay,
		join(shipped, "envoy-api"),
		join(shipped, "xds"),
		join(shipped, "googleapis"),
	];
	const closure = protoClosure(await readRoots(), includeDirs);
	const descriptors = join(scratch, "descriptors.bin");
	run([
		join(modules, "protoc/protoc.cjs"),
		...includeDirs.map((dir) => `-I${dir}`),
		`-I${join(modules, "protoc/include")}`,
		"--include_imports",
		"--include_source_info",
		`--descriptor_set_out=${descriptors}`,
		...closure,
	]);
	const { file } = fromBinary(
		FileDescriptorSetSchema,
		await readFile(descriptors),
	);
	const protoFile = stripOptions(file);
	const wanted = new Set(closure);
	return create(CodeGeneratorRequestSchema, {
		protoFile,
		fileToGenerate: protoFile
			.map(({ name }) => name)
			.filter((name) => wanted.has(name)),
		parameter: "target=js+dts,import_extension=js",
	});
}

async function readRoots(): Promise<readonly string[]> {
	const text = await readFile(
		new URL("./protobuf/roots.txt", import.meta.url),
		"utf8",
	);
	return text
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.startsWith("#"));
}

function runTypesPlugin(
	request: CodeGeneratorRequest,
): readonly GeneratedFile[] {
	const response = fromBinary(
		CodeGeneratorResponseSchema,
		run(
			[join(modules, "@bufbuild/protoc-gen-es/bin/protoc-gen-es")],
			toBinary(CodeGeneratorRequestSchema, request),
		),
	);
	if (response.error) throw new Error(response.error);
	const registry = registryOf(request);
	return [
		...response.file.map(({ name, content }) => ({
			name,
			content: name.endsWith("_pb.js")
				? withLazyDescriptors(
						content,
						name.replace(/_pb\.js$/, ".proto"),
						registry,
					)
				: content,
		})),
		{ name: "lazy-descriptors.js", content: LAZY_DESCRIPTORS },
	];
}

function registryOf({ protoFile }: CodeGeneratorRequest): FileRegistry {
	return createFileRegistry(
		create(FileDescriptorSetSchema, { file: protoFile }),
	);
}

function encoders(request: CodeGeneratorRequest): readonly GeneratedFile[] {
	const registry = registryOf(request);
	const types = new Set<DescMessage>();
	const add = (type: DescMessage): void => {
		if (types.has(type)) return;
		types.add(type);
		for (const { message } of type.fields) if (message) add(message);
	};
	for (const name of request.fileToGenerate) {
		const file = registry.getFile(name);
		if (file === undefined) throw new Error(`${name} has no descriptor`);
		for (const type of nestedTypes(file))
			if (type.kind === "message") add(type);
	}
	return [
		{ name: "encoders.js", content: encoderSource([...types]) },
		{ name: "encoders.d.ts", content: ENCODER_DECLARATIONS },
	];
}

/** One module that lists the descriptors of all files, for programs that need every message type. */
function fileList({
	fileToGenerate,
}: CodeGeneratorRequest): readonly GeneratedFile[] {
	const files = fileToGenerate.map((name) => {
		const path = name.replace(/\.proto$/, "");
		return { path, symbol: `file_${path.replaceAll(/[/.-]/g, "_")}` };
	});
	return [
		{
			name: "files.js",
			content: `${files
				.map(
					({ path, symbol }) => `import { ${symbol} } from "./${path}_pb.js";`,
				)
				.join("\n")}

export const files = [
${files.map(({ symbol }) => `\t${symbol},`).join("\n")}
];
`,
		},
		{
			name: "files.d.ts",
			content: `import type { DescFile } from "@bufbuild/protobuf";

/** The descriptors of all generated files. */
export declare const files: readonly DescFile[];
`,
		},
	];
}

/** Runs a Node program and returns what it prints. */
function run(argv: readonly string[], input?: Uint8Array): Uint8Array {
	const { status, stdout, stderr, error } = spawnSync(process.execPath, argv, {
		maxBuffer: 1 << 28,
		...(input === undefined ? {} : { input }),
	});
	if (error !== undefined) throw error;
	if (status !== 0) {
		throw new Error(`${argv[0]} failed: ${stderr.toString().trim()}`);
	}
	return stdout;
}

/** Writes beside the output folder first, so that the folder is never half written. */
async function replaceOutput(files: readonly GeneratedFile[]): Promise<void> {
	const next = `${output}.next-${process.pid}`;
	try {
		for (const { name, content } of files) {
			const path = join(next, name);
			await mkdir(dirname(path), { recursive: true });
			await writeFile(path, content);
		}
		await rm(output, { recursive: true, force: true });
		await rename(next, output);
	} finally {
		await rm(next, { recursive: true, force: true });
	}
}

if (import.meta.main) await generateProtobuf();
