// The rule `words`: comments, texts and names use the terms of the field. words.json lists the words to avoid, each with its replacement;
// test/docs/words.test.ts applies the same list to the documents.
import { readFileSync } from 'node:fs'

const list = JSON.parse(readFileSync(new URL('words.json', import.meta.url), 'utf8')).map(({ pattern, instead }) => ({
  pattern: new RegExp(pattern, 'i'),
  instead,
}))

const words = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: { word: "Instead of '{{found}}' write: {{instead}} (words.json)." },
  },
  create(context) {
    // A text that goes on in the next line of a comment is one text.
    function check(node, text) {
      for (const { pattern, instead } of list) {
        const found = pattern.exec(text.replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' '))
        if (found !== null) context.report({ node, messageId: 'word', data: { found: found[0], instead } })
      }
    }
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) check(comment, comment.value)
      },
      Literal(node) {
        if (typeof node.value === 'string') check(node, node.value)
      },
      TemplateElement(node) {
        check(node, node.value.raw)
      },
      // `toldFor` is read as `told For`; a use of a name is not reported again.
      ':matches(FunctionDeclaration, ClassDeclaration, VariableDeclarator, TSInterfaceDeclaration, TSTypeAliasDeclaration) > Identifier.id'(
        node,
      ) {
        check(node, node.name.replace(/([a-z])([A-Z])/g, '$1 $2'))
      },
      'TSPropertySignature > Identifier.key'(node) {
        check(node, node.name.replace(/([a-z])([A-Z])/g, '$1 $2'))
      },
      'TSMethodSignature > Identifier.key'(node) {
        check(node, node.name.replace(/([a-z])([A-Z])/g, '$1 $2'))
      },
    }
  },
}

export const wordRules = { rules: { words } }
