import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { TemporaryFolder } from "../../test/testkit/temporary-folder.ts";
import { readElf, stripElf } from "./elf.ts";

const isLinux = process.platform === "linux";

describe("readElf", () => {
	it("takes nothing else for an ELF file", () => {
		for (const text of ["", "#!/bin/sh\n", "\x7fELF", "x".repeat(100)]) {
			expect(readElf(Buffer.from(text))).equal(undefined);
		}
	});

	it("tells the loader and the libraries of a program", function () {
		if (!isLinux) this.skip();
		const elf = readElf(readFileSync("/bin/cat"));
		expect(elf?.loader).match(/^\/lib.*\/ld-/);
		expect(elf?.needed).include("libc.so.6");
	});
});

describe("stripElf", () => {
	it("leaves a program that is no larger and does the same", function () {
		if (!isLinux) this.skip();
		using folder = new TemporaryFolder();
		const whole = readFileSync("/bin/cat");
		const stripped = stripElf(whole);
		expect(stripped.length).below(whole.length);
		folder.write("cat", stripped);
		chmodSync(folder.at("cat"), 0o755);
		expect(
			execFileSync(folder.at("cat"), { input: "as ever", encoding: "utf8" }),
		).equal("as ever");
	});

	it("refuses what is no ELF file", () => {
		expect(() => stripElf(Buffer.from("#!/bin/sh\n"))).throw(/ELF/);
	});
});
