import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import {
	closeSync,
	constants,
	fstatSync,
	openSync,
	readFileSync,
} from "node:fs";
import { errorCode } from "./error-code.ts";
import { type Spot, spotAt } from "./spot.ts";

/**
 * The largest file read, 64 MiB: a listing of 100,000 objects of 640 bytes. More
 * would hold up everything else for seconds.
 */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** What reading a file gave. */
export type FileText =
	| { readonly kind: "text"; readonly text: string; readonly digest: string }
	/** No such file (any more). */
	| { readonly kind: "gone" }
	| { readonly kind: "refused"; readonly spot: Spot; readonly message: string };

/** Reads a regular file as UTF-8. A file that cannot be used is a value, not an error. */
export function readText(path: string): FileText {
	try {
		return readOpen(path);
	} catch (error) {
		const code = errorCode(error);
		if (code === "ENOENT" || code === "ENOTDIR") return { kind: "gone" };
		return refused(`The file cannot be read (${code}).`);
	}
}

function readOpen(path: string): FileText {
	// Without O_NONBLOCK, opening a pipe would wait until somebody writes to it.
	const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const { size } = fstatSync(file);
		if (!fstatSync(file).isFile()) return { kind: "gone" };
		if (size > MAX_FILE_BYTES) {
			return refused(
				`The file has ${size} bytes; the limit is ${MAX_FILE_BYTES}. Split it.`,
			);
		}
		return decode(readFileSync(file));
	} finally {
		closeSync(file);
	}
}

function decode(bytes: Buffer): FileText {
	const zero = bytes.indexOf(0);
	if (zero !== -1) {
		return refused(
			"The file is not text: it holds a zero byte.",
			spotAt(bytes.toString("latin1", 0, zero), zero),
		);
	}
	const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
	if (!isUtf8(bytes)) {
		return refused(
			"The file is not UTF-8. Save it as UTF-8.",
			spotAt(text, text.indexOf("\uFFFD")),
		);
	}
	const digest = createHash("sha1").update(bytes).digest("base64");
	return { kind: "text", text, digest };
}

function refused(
	message: string,
	spot: Spot = { line: 1, column: 1 },
): FileText {
	return { kind: "refused", spot, message };
}
