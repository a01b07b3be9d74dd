import { defaultMesh } from "../api/default-mesh.ts";
import { isRecord } from "../api/fields.ts";
import type { InjectionSpec } from "../api/mesh.ts";
import { parseObject } from "../api/parse-object.ts";
import {
	injectManifest,
	type ManifestContext,
	type ManifestNote,
} from "../injector/inject-manifest.ts";
import { kubernetesAbilities } from "../injector/kubernetes-abilities.ts";
import { programVersion } from "../settings/program-version.ts";
import { clientSchema, serveSchema } from "../settings/schema.ts";
import { syntaxOf } from "../sources/manifest-file.ts";
import { createPacer } from "../sources/pacer.ts";
import { parseDocument } from "../sources/parse-document.ts";
import type { ManifestInput } from "../sources/read-directory.ts";
import { readText } from "../sources/read-text.ts";
import { splitDocuments } from "../sources/split-documents.ts";
import { walkTree } from "../sources/walk-tree.ts";
import { sidecarBootstrap } from "../xds/sidecar-bootstrap.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { plain } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import { findInputs } from "./read-inputs.ts";
import type { Terminal } from "./terminal.ts";

/** `lateen inject`. */
export const injectCommand = defineCommand(
	{
		name: "inject",
		summary: "Put proxies into the pods of files, as the webhook would",
		usage: "-f FILE|DIR|- [flags]",
		details: [
			"Prints everything that it reads, with a proxy in each Pod, and in the pod template of each Deployment, StatefulSet, DaemonSet, ReplicaSet, Job and CronJob, also inside of Lists. What is injected is what the webhook injects, byte by byte; a pod that was injected here is left as it is there. Settings are those of the Mesh named default, if it is among the files.",
			"Which pods stay as they are and why is said beside the result. The exit code is 1, and nothing is printed, when an annotation cannot be understood.",
		],
		options: {
			filename: {
				type: "text",
				short: "f",
				repeatable: true,
				placeholder: "FILE|DIR|-",
				help: "What to read; - is what is piped in",
			},
			namespace: {
				type: "text",
				short: "n",
				default: "default",
				placeholder: "NAMESPACE",
				help: "Namespace of what names none",
			},
			kubernetesVersion: {
				type: "text",
				default: "1.35",
				placeholder: "MAJOR.MINOR",
				help: "Version of the Kubernetes that it is for: before 1.29 there are no native sidecars",
			},
			lateenNamespace: clientSchema.lateenNamespace,
			proxyImage: serveSchema.proxyImage,
			output: {
				type: "choice",
				values: ["yaml", "json"],
				default: "yaml",
				short: "o",
				help: "Form of the result; as JSON it is one List",
			},
		},
		examples: [
			["Into a cluster", "lateen inject -f shop/ | kubectl apply -f -"],
			[
				"What a template makes",
				"helm template . | lateen inject -f - | kubectl apply -f -",
			],
			[
				"What would be different",
				"lateen inject -f web.yaml | kubectl diff -f -",
			],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		const names = [...values.filename, ...positionals];
		if (names.length === 0)
			return usageError(
				"Name files or folders with -f, or -f - for what is piped in.",
			);
		const [, major, minor] =
			/^v?(\d+)\.(\d+)(?:[.+-].*)?$/.exec(values.kubernetesVersion) ?? [];
		if (major === undefined || minor === undefined)
			return usageError(
				`--kubernetes-version is ${JSON.stringify(values.kubernetesVersion)}; expected is a version such as 1.35.`,
			);
		const found = await findInputs(names, terminal);
		if (!found.ok) return usageError(...found.problems);
		const read = await readAll(found.inputs);
		const settings = settingsOf(read.documents);
		const problems = [
			...read.problems,
			...("problems" in settings ? settings.problems : []),
		];
		if ("problems" in settings || problems.length > 0)
			return refuse(terminal, problems);
		const context: ManifestContext = {
			version: programVersion,
			defaultNamespace: values.namespace,
			ownNamespace: values.lateenNamespace,
			settings: {
				...settings.injection,
				proxyImage: settings.injection.proxyImage ?? values.proxyImage,
			},
			kubernetes: kubernetesAbilities({
				major: Number(major),
				minor: Number(minor),
			}),
			makeBootstrap: sidecarBootstrap,
		};
		const results = read.documents.map((document) => ({
			document,
			...injectManifest(document.object, context),
		}));
		const notes = results.flatMap((one) => one.notes);
		const refused = notes.flatMap(refusalsIn);
		if (refused.length > 0) return refuse(terminal, refused);
		for (const note of notes) {
			if (note.outcome.kind === "skipped")
				terminal.err(
					`${plain(`${note.about}: not injected: ${note.outcome.skip.message}`)}\n`,
				);
		}
		if (values.output === "json") {
			const items = results.map(({ object }) => object);
			terminal.out(
				await printValue({ apiVersion: "v1", kind: "List", items }, "json"),
			);
			return exitCode.ok;
		}
		const pieces: string[] = [];
		for (const { document, object } of results)
			pieces.push(
				// What has no pods keeps its comments.
				object === document.object
					? document.text
					: await printValue(object, "yaml"),
			);
		terminal.out(pieces.join("---\n"));
		return exitCode.ok;
	},
);

/** One document of a file. */
interface ReadObject {
	readonly object: Readonly<Record<string, unknown>>;
	/** YAML without its `---`, with a line end. */
	readonly text: string;
}

async function readAll(inputs: readonly ManifestInput[]): Promise<{
	readonly documents: readonly ReadObject[];
	readonly problems: readonly string[];
}> {
	const documents: ReadObject[] = [];
	const problems: string[] = [];
	const pause = createPacer(10);
	const take = (file: string, text: string): void => {
		const syntax = syntaxOf(file);
		const pieces =
			syntax === "json" ? [{ text, linesBefore: 0 }] : splitDocuments(text);
		for (const piece of pieces) {
			const parsed = parseDocument(piece.text, syntax);
			if (parsed.kind === "empty") continue;
			if (parsed.kind === "broken") {
				const { line, column } = parsed.spot;
				problems.push(
					`${file}:${piece.linesBefore + line}:${column}: ${parsed.message}`,
				);
			} else if (isRecord(parsed.value))
				documents.push({ object: parsed.value, text: bare(piece.text) });
			else
				problems.push(
					`${file}:${piece.linesBefore + 1}:1: The document is no object.`,
				);
		}
	};
	for (const input of inputs) {
		if (input.kind === "text") {
			take(input.name, input.text);
			continue;
		}
		const tree = await walkTree(input.path, () => undefined, pause);
		for (const { path, code } of tree.faults)
			problems.push(`${path}: It cannot be read (${code}).`);
		for (const { path } of tree.files.values()) {
			const content = readText(path);
			if (content.kind === "text") take(path, content.text);
			else if (content.kind === "refused")
				problems.push(`${path}: ${content.message}`);
		}
	}
	return { documents, problems };
}

/** The text of a document as one of several. */
function bare(text: string): string {
	const body = text.replace(/^---[ \t]*\r?\n?/, "");
	return body.endsWith("\n") ? body : `${body}\n`;
}

/** `spec.injection` of the Mesh among the documents, or what is wrong with it. */
function settingsOf(
	documents: readonly ReadObject[],
):
	| { readonly injection: InjectionSpec }
	| { readonly problems: readonly string[] } {
	for (const { object } of documents) {
		const { kind, metadata } = object;
		if (kind !== "Mesh" || !isRecord(metadata)) continue;
		if (metadata["name"] !== "default") continue;
		// Reading an object fills in its defaults, and it is printed as it is.
		const parsed = parseObject(structuredClone(object));
		if (parsed.kind === "object" && parsed.object.kind === "Mesh")
			return { injection: parsed.object.spec.injection };
		if (parsed.kind === "invalid")
			return {
				problems: parsed.invalid.violations.map(
					({ path, message }) => `Mesh default: ${path}: ${message}`,
				),
			};
	}
	return { injection: defaultMesh().injection };
}

function refusalsIn({ about, outcome }: ManifestNote): readonly string[] {
	return outcome.kind === "refused"
		? outcome.violations.map(
				({ path, message }) => `${about}: ${path}: ${message}`,
			)
		: [];
}

function refuse(terminal: Terminal, problems: readonly string[]) {
	for (const problem of problems) terminal.err(`${plain(problem)}\n`);
	return exitCode.negative;
}
