import { globSync } from "node:fs";
import { join } from "node:path";
import { createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { files } from "../../src/gen/envoy/files.js";
import { withLazyDescriptors } from "./lazy-descriptors.ts";

const GENERATED = join(import.meta.dirname, "../../src/gen/envoy");

/** Everything that the generated modules export. */
async function allExports(): Promise<
	readonly (readonly [name: string, value: unknown])[]
> {
	const modules = await Promise.all(
		globSync("**/*_pb.js", { cwd: GENERATED }).map(
			(file) =>
				import(join(GENERATED, file)) as Promise<Record<string, unknown>>,
		),
	);
	return modules.flatMap((module) => Object.entries(module));
}

describe("generated descriptors", () => {
	it("have the names and the content of the types that they become", async () => {
		let messages = 0;
		for (const [name, value] of await allExports()) {
			const { kind, typeName, made } = value as {
				readonly kind?: string;
				readonly typeName?: string;
				readonly made?: Readonly<Record<string, unknown>>;
			};
			if (kind !== "message" && kind !== "enum") continue;
			if (made === undefined) throw new Error(`${name} is not lazy`);
			messages += kind === "message" ? 1 : 0;
			expect(typeName, name).to.equal(made["typeName"]);
			// Whatever the library gives its descriptors.
			for (const field of Object.keys(made).filter((of) => of !== "toString"))
				expect((value as Record<string, unknown>)[field], name).to.equal(
					made[field],
				);
		}
		expect(messages).to.be.above(500);
	});

	it("have enums that say the same as their descriptors", async () => {
		const exported = new Map(await allExports());
		let enums = 0;
		for (const [name, value] of exported) {
			const schema = exported.get(`${name}Schema`) as
				| {
						readonly values?: readonly {
							readonly localName: string;
							readonly number: number;
						}[];
				  }
				| undefined;
			if (schema?.values === undefined) continue;
			enums += 1;
			const same: Record<string, unknown> = {};
			for (const { localName, number } of schema.values) {
				same[localName] = number;
				same[number] = localName;
			}
			expect(value, name).to.deep.equal(same);
		}
		expect(enums).to.be.above(50);
	});

	it("are refused where the plugin writes what is not expected", () => {
		const [file] = files as readonly [DescFile];
		const registry = createFileRegistry(file.proto, (name) =>
			file.dependencies.find(({ proto }) => proto.name === name),
		);
		expect(file.proto.$typeName).to.equal(FileDescriptorProtoSchema.typeName);
		expect(() =>
			withLazyDescriptors("export {};", file.proto.name, registry),
		).to.throw("other code");
	});
});
