import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { link, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "../../lib/coded-error.ts";

/** The key that signs proxy tokens cannot be read or made; the message says what to do. */
export class TokenKeyError extends CodedError {
	override readonly name = "TokenKeyError";
	/** The file with the key that signs proxy tokens cannot be made, is open to others, or holds no key. Next: do what the message says; when the file is removed a new key is made, and every proxy needs a new token from `lateen bootstrap`. */
	readonly code = "APP_TOKEN_KEY_UNUSABLE";
	readonly retryable = false;
}

const keyBytes = 32;

/**
 * The key that signs proxy tokens, from the state directory; made at its first use.
 *
 * Guarantees: every process that uses the directory gets the same key, also
 *   when two make it at the same time; the file is for its owner only.
 * Fails when: the file cannot be made, is open to others, or holds no key; then
 *   with a `TokenKeyError`.
 */
export async function readOrCreateTokenKey(
	stateDir: string,
): Promise<KeyObject> {
	const path = join(stateDir, "proxy-token.key");
	try {
		return (await readKey(path)) ?? (await createKey(path));
	} catch (error) {
		if (error instanceof TokenKeyError) throw error;
		throw new TokenKeyError(
			`The key file ${path} cannot be used: ${error instanceof Error ? error.message : String(error)}.`,
			{ cause: error },
		);
	}
}

async function readKey(path: string): Promise<KeyObject | undefined> {
	const found = await stat(path).catch((error: unknown) => {
		if (isCode(error, "ENOENT")) return undefined;
		throw error;
	});
	if (found === undefined) return undefined;
	if ((found.mode & 0o077) !== 0) {
		throw new TokenKeyError(
			`Others may read the key file ${path}, so its tokens prove nothing. Remove the file, start again, and make the proxies' files anew with \`lateen bootstrap\`.`,
		);
	}
	const bytes = Buffer.from((await readFile(path, "utf8")).trim(), "base64url");
	if (bytes.length !== keyBytes) {
		throw new TokenKeyError(
			`The file ${path} holds no key. Remove it, start again, and make the proxies' files anew with \`lateen bootstrap\`.`,
		);
	}
	return createSecretKey(bytes);
}

async function createKey(path: string): Promise<KeyObject> {
	const draft = `${path}.${randomBytes(8).toString("hex")}`;
	const file = await open(draft, "wx", 0o600);
	try {
		await file.writeFile(`${randomBytes(keyBytes).toString("base64url")}\n`);
		await file.sync();
		// Unlike a rename, a link never replaces the key that another process has made meanwhile.
		await link(draft, path).catch((error: unknown) => {
			if (!isCode(error, "EEXIST")) throw error;
		});
	} finally {
		await file.close();
		await rm(draft, { force: true });
	}
	const key = await readKey(path);
	if (key === undefined) {
		throw new TokenKeyError(`The key file ${path} was removed at once.`);
	}
	return key;
}

function isCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
