import { expect } from "chai";
import * as fc from "fast-check";
import type { Resource } from "../resource.ts";
import { partsBy } from "./shared-parts.ts";

describe("partsBy", () => {
	const frames = new WeakMap<Resource, Uint8Array>();
	const frameOf = (resource: Resource): Uint8Array => {
		const made = frames.get(resource) ?? Buffer.from(`<${resource.name}>`);
		frames.set(resource, made);
		return made;
	};

	it("gives the bytes of the frames in order, whatever lists came before", () => {
		const parts = partsBy(frameOf);
		const all = resources(300);
		fc.assert(
			fc.property(fc.shuffledSubarray([...all]), (some) => {
				expect(Buffer.concat(parts(some)).toString()).to.equal(
					some.map(({ name }) => `<${name}>`).join(""),
				);
			}),
		);
	});

	it("gives equal lists the same parts", () => {
		const parts = partsBy(frameOf);
		const all = resources(500);
		const first = parts(all);
		const second = parts([...all]);
		expect(first.length).to.be.lessThan(50);
		expect(second.every((part, i) => part === first[i])).to.equal(true);
	});

	it("shares what follows when lists begin differently", () => {
		const parts = partsBy(frameOf);
		const all = resources(500);
		const [own, other] = resources(2);
		if (own === undefined || other === undefined) throw new Error("two");
		const first = new Set(parts([own, ...all]));
		const second = parts([other, ...all]);
		expect(second.filter((part) => !first.has(part))).to.have.length(1);
	});

	function resources(count: number): readonly Resource[] {
		const digits =
			"BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_A";
		return Array.from({ length: count }, (_, i) => ({
			name: `r${i}`,
			version: `v${i}${digits[i % 64]}`,
			bytes: new Uint8Array(),
			origins: [],
		}));
	}
});
