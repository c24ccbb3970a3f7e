"""HMAC secrets that everybody knows: placeholders, defaults and samples of specifications and tutorials.

Facts, not a word list: guessable.py judges everything else. WORDS are what people build such secrets from.
"""

from typing import Final

PUBLISHED: Final = (
    # jwt.io, past and present
    "secret",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    # RFC 7515 A.1 (also RFC 7517 A.3), RFC 7520 section 3.5
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    # samples that thousands of applications still run with
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-and-long-postgres-password",
    "reallyreallyreallyreallyverysafe",
    "!ChangeThisMercureHubJWTSecretKey!",
    "!ChangeMe!",
    "toBeModified",
    "ThisIsASecretKeyForJWTAuthenticationDoNotShare",
    "this is my custom Secret key for authentication",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "mysupersecretkeythatisatleast32characterslong",
    "please_change_this_secret_key_in_production",
    "change-this-to-a-random-secret-key-in-production",
    "replace-this-with-a-long-random-string",
    "development-secret-do-not-use-in-production",
    "0123456789abcdef0123456789abcdef",
    "00112233445566778899aabbccddeeff",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz",
    "correct horse battery staple",
)

_PARTS: Final = """
abc access account admin administrator algorithm all and any api app application are at auth authentication
authorization babe backend bar base baz bearer beef best better bit bits brown byte bytes cafe cat change
changeit changeme character characters client code company config cookie correct credential crypto data
database dead default demo dev develop development do docker dog dont dummy duper edc eight encode encoded
encrypt encryption enterprise env environment example express extra extremely face fake feed five flask foo
for four fox from generate generated god good hash hello here hidden hmac horse hs hundred hunter in insecure
insert internal is issuer it java json jsonwebtoken jumps jwt keep key keys laravel lazy least length letmein
live local login long longer look love make master me mercure minimum monkey more must my mysecret name never
new nine node not of on one only open or over own pass passphrase passwd password phrase placeholder please pm
poc postgres private prod production project public put qaz quick qwerty qwertyuiop random real really replace
required root safe salt sample sauce secret secrets secure security server service session seven sha share
sharing should sign signature signing six some something spring staging staple string strong super sure
symmetric system temp ten test testing that the then there these this thousand three to token tokens top
tutorial two ultra unknown unsafe update use user username users using valid value verify very web welcome
with word world wsx xyz you your zaq
"""
WORDS: Final = frozenset(_PARTS.split())
