import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckResult } from "./finding.ts";

const ROOT = join(import.meta.dirname, "../..");

const SOURCES = "{src,test,hack,bench,samples}/**/*.{ts,sh,yaml}";

/** Every TODO names its issue. */
export async function checkTodos(): Promise<CheckResult> {
	const found: string[] = [];
	for (const file of sources()) {
		const lines = (await readFile(join(ROOT, file), "utf8")).split("\n");
		for (const [index, line] of lines.entries()) {
			const match = /(?:\/\/|\*|#)\s*(?:TODO|FIXME|XXX)\b(.*)/.exec(line);
			if (match === null || /^\(#\d+\):/.test(match[1] ?? "")) {
				continue;
			}
			found.push(`${file}:${index + 1}: ${line.trim()}`);
		}
	}
	return {
		report: found.join("\n"),
		remedy: "Do it now, or open an issue and write TODO(#NUMBER): …",
	};
}

/** The lock file names no registry, so that it works with everybody's. */
export async function checkLockFile(): Promise<CheckResult> {
	const text = await readFile(join(ROOT, "package-lock.json"), "utf8");
	const { packages } = JSON.parse(text) as {
		packages: Record<
			string,
			{ resolved?: string; optionalDependencies?: Record<string, string> }
		>;
	};
	const problems: string[] = [];
	for (const [path, { resolved, optionalDependencies }] of Object.entries(
		packages,
	)) {
		if (resolved !== undefined) problems.push(`${path}: resolved ${resolved}`);
		for (const name of Object.keys(optionalDependencies ?? {})) {
			if (packages[`node_modules/${name}`] === undefined) {
				problems.push(`${path}: ${name} has no entry`);
			}
		}
	}
	return {
		report: problems.join("\n"),
		remedy:
			"Remove each `resolved`; give each optional package of another platform an entry with its version, os and cpu, or npm ci refuses the file.",
	};
}

/** A golden that no input makes is dead. */
export async function checkGoldens(): Promise<CheckResult> {
	const outputs = globSync("test/golden/*/out*", { cwd: ROOT });
	const orphans = outputs.filter(
		(file) => globSync(join(ROOT, file, "../in*")).length === 0,
	);
	return {
		report: orphans
			.map((file) => `${file}: its folder has no input`)
			.join("\n"),
		remedy: "npm run golden -- --update deletes orphans.",
	};
}

/** Each folder of src says what it owns, and none is empty. */
export async function checkFolders(): Promise<CheckResult> {
	const folders = globSync("src/*/", { cwd: ROOT }).filter(
		(folder) => !folder.startsWith("src/gen"),
	);
	const problems = folders.flatMap((folder) => {
		const files = globSync(`${folder}/**/*.ts`, { cwd: ROOT });
		if (files.length === 0) return [`${folder}: holds no source`];
		return globSync(`${folder}/README.md`, { cwd: ROOT }).length === 0
			? [`${folder}: has no README.md`]
			: [];
	});
	return {
		report: problems.join("\n"),
		remedy:
			"A folder of src has a README.md of at most 20 lines: owns, may import, start reading at.",
	};
}

function sources(): readonly string[] {
	return globSync(SOURCES, {
		cwd: ROOT,
		exclude: ["src/gen", "**/node_modules"],
	}).sort();
}
