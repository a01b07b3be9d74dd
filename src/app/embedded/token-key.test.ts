import {
	chmod,
	mkdir,
	mkdtemp,
	readdir,
	rm,
	stat,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readOrCreateTokenKey, TokenKeyError } from "./token-key.ts";

describe("readOrCreateTokenKey", () => {
	let folder: string;

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "lateen-key-"));
	});
	afterEach(() => rm(folder, { recursive: true }));

	async function refusal(): Promise<unknown> {
		return readOrCreateTokenKey(folder).then(
			() => undefined,
			(error: unknown) => error,
		);
	}

	it("makes a key that only its owner can read, and gives it again", async () => {
		const made = await readOrCreateTokenKey(folder);
		expect(made.symmetricKeySize).to.equal(32);
		expect((await readOrCreateTokenKey(folder)).equals(made)).to.equal(true);
		const [file, ...others] = await readdir(folder);
		expect(others).to.deep.equal([]);
		expect((await stat(join(folder, String(file)))).mode & 0o777).to.equal(
			0o600,
		);
	});

	it("gives everybody the same key when many make it at once", async () => {
		const keys = await Promise.all(
			Array.from({ length: 20 }, () => readOrCreateTokenKey(folder)),
		);
		const [first] = keys;
		for (const key of keys) {
			expect(first !== undefined && key.equals(first)).to.equal(true);
		}
		expect(await readdir(folder)).to.have.length(1);
	});

	it("refuses a key that others can read", async () => {
		await readOrCreateTokenKey(folder);
		await chmod(join(folder, "proxy-token.key"), 0o644);
		expect(await refusal()).to.be.instanceOf(TokenKeyError);
	});

	it("refuses a file that holds no key", async () => {
		await writeFile(join(folder, "proxy-token.key"), "", { mode: 0o600 });
		expect(await refusal()).to.be.instanceOf(TokenKeyError);
	});

	it("says which directory is missing", async () => {
		await rm(folder, { recursive: true });
		const error = await refusal();
		expect(error).to.be.instanceOf(TokenKeyError);
		expect(String(error)).to.contain(folder);
		await mkdir(folder);
	});
});
